-- Bring finished rows back from the archive.
INSERT INTO netscript_execution
SELECT * FROM netscript_archive WHERE id IN (SELECT value FROM json_each(:ids)) AND +queue = :queue
