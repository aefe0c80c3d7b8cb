-- Dead letters, the latest failure first.
SELECT
  id, concept, target, topic, status, triggered_by, triggered_at, payload, priority, attempt, max_attempts, token, NULL::bigint AS due_at,
  started_at, completed_at, exit_code, error, result, worker_id, correlation_id, idempotency_key,
  traceparent, tracestate, progress, seq
FROM netscript.find_dead($1, $2, $3, $4, $5)
ORDER BY completed_at DESC, seq DESC
