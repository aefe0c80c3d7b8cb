DELETE FROM netscript_pause WHERE queue = :queue
