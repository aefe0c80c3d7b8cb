DELETE FROM netscript_undelivered WHERE id IN (SELECT value FROM json_each(:ids)) AND queue = :queue
