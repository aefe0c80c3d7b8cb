DELETE FROM netscript_archive WHERE id IN (SELECT value FROM json_each(:ids)) AND +queue = :queue
