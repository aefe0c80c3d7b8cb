DELETE FROM netscript_execution WHERE id IN (SELECT value FROM json_each(:ids)) AND +queue = :queue
