DELETE FROM netscript_worker WHERE queue = :queue
