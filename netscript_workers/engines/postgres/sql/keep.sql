-- Put records of another store among the archived ones. Their `seq` is the ms they were triggered at and a number within it,
-- negative, away from those that arrive here: so the newest is found first, in whichever order they come.
INSERT INTO netscript.finished (
  seq, archived, queue, id, concept, target, topic, status, triggered_by, triggered_at, payload, priority, attempt,
  max_attempts, token, started_at, completed_at, exit_code, error, result, worker_id, correlation_id, idempotency_key,
  traceparent, tracestate, progress, archive_at, delete_at, peak_memory, cpu_ms
)
SELECT
  -(1::bigint << 62) + (r.triggered_at << 20) + nextval('netscript.arrival') % (1 << 20), true, $1, r.*
FROM unnest(
  $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bytea[], $10::integer[],
  $11::integer[], $12::integer[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::text[], $18::bytea[],
  $19::text[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[], $25::bigint[], $26::bigint[], $27::bigint[],
  $28::bigint[]
) AS r (
  id, concept, target, topic, status, triggered_by, triggered_at, payload, priority, attempt, max_attempts, token,
  started_at, completed_at, exit_code, error, result, worker_id, correlation_id, idempotency_key, traceparent, tracestate,
  progress, archive_at, delete_at, peak_memory, cpu_ms
)
ON CONFLICT DO NOTHING
RETURNING id, seq
