-- Undo claims whose caller went away before it heard of them.
UPDATE netscript_execution
SET status = 'queued', attempt = attempt - 1, token = :new_token, lease_until = NULL, started_at = NULL, worker_id = NULL
WHERE id IN (SELECT value FROM json_each(:ids)) AND +queue = :queue AND token = :token AND +status = 'running'
