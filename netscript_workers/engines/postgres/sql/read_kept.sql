SELECT
  id, concept, target, topic, status, triggered_by, triggered_at, payload, priority, attempt, max_attempts, token, NULL::bigint AS due_at,
  started_at, completed_at, exit_code, error, result, worker_id, correlation_id, idempotency_key,
  traceparent, tracestate, progress, seq, archive_at, delete_at, peak_memory, cpu_ms
FROM netscript.finished WHERE id = ANY ($2::text[]) AND queue + 0 = $1
