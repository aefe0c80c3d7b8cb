UPDATE netscript_execution
SET status = 'running', parked = 0, attempt = attempt + 1, token = :token, worker_id = :worker, started_at = :now,
  lease_until = :lease_until, due_at = NULL, cancel_asked = 0, progress = NULL, error = NULL, result = NULL, exit_code = NULL
WHERE seq IN (SELECT value FROM json_each(:seqs))
