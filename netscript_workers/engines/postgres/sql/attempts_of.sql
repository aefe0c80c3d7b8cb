SELECT attempt, worker_id, started_at, completed_at, cause, error, exit_code, peak_memory, cpu_ms, execution
FROM netscript.attempt WHERE execution = ANY ($1::bigint[])
ORDER BY number
