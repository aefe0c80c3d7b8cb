-- Runs that somebody asked to cancel do not go back into the queue.
UPDATE netscript_execution
SET status = 'cancelled', completed_at = :now, archive_at = :archive_at, delete_at = :delete_at, due_at = NULL
WHERE id IN (SELECT value FROM json_each(:ids)) AND +queue = :queue AND token = :token
  AND +status IN ('queued', 'pending') AND cancel_asked = 1
