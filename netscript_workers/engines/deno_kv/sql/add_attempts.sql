INSERT INTO netscript_attempt (
  execution, attempt, worker_id, started_at, completed_at, cause, error, exit_code, peak_memory, cpu_ms
)
SELECT
  e.seq, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8, value ->> 9
FROM json_each(:batch) AS given
CROSS JOIN netscript_execution AS e
WHERE e.id = (given.value ->> 0) AND +e.queue = :queue AND e.token = :token
ORDER BY given.key
