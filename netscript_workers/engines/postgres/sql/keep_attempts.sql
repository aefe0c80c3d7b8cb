INSERT INTO netscript.attempt (
  execution, attempt, worker_id, started_at, completed_at, cause, error, exit_code, peak_memory, cpu_ms
)
SELECT * FROM unnest(
  $1::bigint[], $2::integer[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::bigint[], $9::bigint[],
  $10::bigint[]
)
