-- Finished executions wait again, attempts anew.
UPDATE netscript_execution
SET status = 'queued', parked = 0, cancel_asked = 0, attempt = 0, token = :token, triggered_by = 'retry', due_at = NULL,
  lease_until = NULL, started_at = NULL, completed_at = NULL, archive_at = NULL, delete_at = NULL, exit_code = NULL,
  peak_memory = NULL, cpu_ms = NULL, worker_id = NULL, progress = NULL, error = NULL, result = NULL
WHERE id IN (SELECT value FROM json_each(:ids)) AND +queue = :queue AND archive_at IS NOT NULL
