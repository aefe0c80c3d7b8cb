UPDATE netscript_execution
SET cancel_asked = 1
WHERE id IN (SELECT value FROM json_each(:ids)) AND +queue = :queue AND +status = 'running' AND cancel_asked = 0
