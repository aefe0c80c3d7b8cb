-- Store a batch. A row whose id is there already, live or archived, is left alone.
INSERT INTO netscript_execution (
  queue, id, status, concept, target, topic, priority, max_attempts, token, triggered_by, triggered_at, due_at,
  correlation_id, idempotency_key, traceparent, tracestate, payload
)
SELECT
  :queue, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, :token,
  value ->> 7, :now, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13
FROM json_each(:batch)
WHERE NOT EXISTS (SELECT 1 FROM netscript_archive AS a WHERE a.id = (value ->> 0) AND a.queue = :queue)
ON CONFLICT DO NOTHING
