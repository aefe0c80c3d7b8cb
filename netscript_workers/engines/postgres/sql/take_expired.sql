SELECT
  id, concept, target, topic, status, triggered_by, triggered_at, payload, priority, attempt, max_attempts, token, due_at,
  started_at, NULL::bigint AS completed_at, exit_code, error, result, worker_id, correlation_id, idempotency_key,
  traceparent, tracestate, progress, seq
FROM netscript.take_expired($1, $2, $3, $4::text::text[], $5::text::bigint[], $6)
