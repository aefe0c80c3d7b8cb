-- Finished rows whole, with their ends of age; live ones too where :live is 1.
SELECT json_group_array(json_array(archive_at, delete_at, json_array(
  seq, id, concept, target, topic, status, triggered_by, triggered_at, payload, priority, attempt, max_attempts, token, due_at,
  started_at, completed_at, exit_code, error, result, worker_id, correlation_id, idempotency_key, traceparent, tracestate,
  progress, peak_memory, cpu_ms
)))
FROM (
  SELECT * FROM netscript_execution
  WHERE :live AND id IN (SELECT value FROM json_each(:ids)) AND +queue = :queue AND archive_at IS NOT NULL
  UNION ALL
  SELECT * FROM netscript_archive WHERE id IN (SELECT value FROM json_each(:ids)) AND +queue = :queue
)
