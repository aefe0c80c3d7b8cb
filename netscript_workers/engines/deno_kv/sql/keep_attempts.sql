-- Attempts of restored or archived records, by row number.
INSERT INTO netscript_attempt (
  execution, attempt, worker_id, started_at, completed_at, cause, error, exit_code, peak_memory, cpu_ms
)
SELECT
  value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8, value ->> 9
FROM json_each(:batch)
ORDER BY key
