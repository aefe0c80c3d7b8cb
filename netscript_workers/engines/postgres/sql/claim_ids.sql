SELECT
  id, concept, target, topic, triggered_by, triggered_at, payload, priority, attempt, max_attempts, started_at,
  correlation_id, idempotency_key, traceparent, tracestate
FROM netscript.claim_ids($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
