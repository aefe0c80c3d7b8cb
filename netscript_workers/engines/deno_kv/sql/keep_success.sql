-- The row of a success is about to be run again: what it tells of its attempt becomes a row of its own.
INSERT INTO netscript_attempt (
  execution, attempt, worker_id, started_at, completed_at, cause, error, exit_code, peak_memory, cpu_ms
)
SELECT seq, attempt, worker_id, started_at, completed_at, NULL, NULL, exit_code, peak_memory, cpu_ms
FROM netscript_execution
WHERE id IN (SELECT value FROM json_each(:ids)) AND +queue = :queue AND +status = 'completed'
