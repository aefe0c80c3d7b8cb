-- Put finished records among the live ones, as new rows in the order given. The first value of each is for keep.sql.
INSERT INTO netscript_execution (
  queue, parked, cancel_asked,
  id, status, concept, target, topic, priority, attempt, max_attempts, token, triggered_by, triggered_at,
  due_at, started_at, completed_at, archive_at, delete_at, exit_code, peak_memory, cpu_ms, worker_id, correlation_id,
  idempotency_key, traceparent, tracestate, progress, error, payload, result
)
SELECT
  :queue, 0, 0,
  value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10,
  value ->> 11, value ->> 12, value ->> 13, value ->> 14, value ->> 15, value ->> 16, value ->> 17, value ->> 18, value ->> 19,
  value ->> 20, value ->> 21, value ->> 22, value ->> 23, value ->> 24, value ->> 25, value ->> 26, value ->> 27, value ->> 28
FROM json_each(:batch)
ORDER BY key
