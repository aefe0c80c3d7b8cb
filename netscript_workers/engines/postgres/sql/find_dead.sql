-- Dead letters, the latest failure first.
SELECT
  id, concept, target, topic, status, triggered_by, triggered_at, payload, priority, attempt, max_attempts, token, NULL::bigint AS due_at,
  started_at, completed_at, exit_code, error, result, worker_id, correlation_id, idempotency_key,
  traceparent, tracestate, progress, seq
FROM netscript.finished
WHERE queue = $1 AND status IN ('failed', 'timeout') AND ($2::text[] IS NULL OR id = ANY ($2::text[]))
  AND ($3::text IS NULL OR target = $3::text) AND ($4::text IS NULL OR topic = $4::text)
ORDER BY completed_at DESC, seq DESC
LIMIT $5::bigint
