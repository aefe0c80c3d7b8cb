-- End attempts. The new token marks the rows that this settlement reached.
UPDATE netscript_execution AS e
SET status = s.status, token = :token, lease_until = NULL, attempt = s.attempt, max_attempts = s.max_attempts,
  due_at = s.due_at, completed_at = s.completed_at, archive_at = s.archive_at, delete_at = s.delete_at,
  started_at = CASE WHEN s.archive_at IS NOT NULL THEN coalesce(s.started_at, e.started_at) END,
  worker_id = CASE WHEN s.archive_at IS NOT NULL THEN e.worker_id END,
  error = s.error, result = s.result, exit_code = s.exit_code, peak_memory = s.peak_memory, cpu_ms = s.cpu_ms
FROM (
  SELECT
    value ->> 0 AS id, value ->> 1 AS token, value ->> 2 AS status, value ->> 3 AS attempt, value ->> 4 AS max_attempts,
    value ->> 5 AS due_at, value ->> 6 AS started_at, value ->> 7 AS completed_at, value ->> 8 AS archive_at,
    value ->> 9 AS delete_at, value ->> 10 AS error, value ->> 11 AS result, value ->> 12 AS exit_code,
    value ->> 13 AS peak_memory, value ->> 14 AS cpu_ms
  FROM json_each(:batch)
) AS s
WHERE e.id = s.id AND +e.queue = :queue AND e.token = s.token AND +e.status = 'running'
