-- Newest first, live records before archived ones. $7: the archive alone.
SELECT * FROM (
  SELECT
    id, concept, target, topic, status, triggered_by, triggered_at, payload, priority, attempt, max_attempts, token, due_at,
    started_at, NULL::bigint AS completed_at, exit_code, error, result, worker_id, correlation_id, idempotency_key,
    traceparent, tracestate, progress, seq, false AS aged
  FROM netscript.find_unfinished($1, $2, $3, $4, $5, $6)
  WHERE NOT $7::boolean
  UNION ALL
  SELECT
    id, concept, target, topic, status, triggered_by, triggered_at, payload, priority, attempt, max_attempts, token, NULL::bigint AS due_at,
    started_at, completed_at, exit_code, error, result, worker_id, correlation_id, idempotency_key,
    traceparent, tracestate, progress, seq, archived AS aged
  FROM netscript.find_finished($1, false, $2, $3, $4, $5, $6)
  WHERE NOT $7::boolean
  UNION ALL
  SELECT
    id, concept, target, topic, status, triggered_by, triggered_at, payload, priority, attempt, max_attempts, token, NULL::bigint AS due_at,
    started_at, completed_at, exit_code, error, result, worker_id, correlation_id, idempotency_key,
    traceparent, tracestate, progress, seq, archived AS aged
  FROM netscript.find_finished($1, true, $2, $3, $4, $5, $6)
) AS found
ORDER BY aged, seq DESC
LIMIT $6
