-- Waiting executions end at once.
UPDATE netscript_execution
SET status = 'cancelled', parked = 0, completed_at = :now, archive_at = :archive_at, delete_at = :delete_at, due_at = NULL,
  token = :token
WHERE id IN (SELECT value FROM json_each(:ids)) AND +queue = :queue AND +status IN ('pending', 'queued')
