-- What each ended attempt left behind; the one that succeeded is told by the execution's own row.
WITH named AS (
  SELECT seq FROM netscript.execution WHERE id = $2 AND queue + 0 = $1
  UNION ALL
  SELECT seq FROM netscript.finished WHERE id = $2 AND queue + 0 = $1
)
SELECT attempt, worker_id, started_at, completed_at, cause, error, exit_code, peak_memory, cpu_ms
FROM (
  SELECT 0 AS part, number, attempt, worker_id, started_at, completed_at, cause, error, exit_code, peak_memory, cpu_ms
  FROM netscript.attempt WHERE execution IN (SELECT seq FROM named)
  UNION ALL
  SELECT 1, 0, attempt, worker_id, started_at, completed_at, NULL, NULL, exit_code, peak_memory, cpu_ms
  FROM netscript.finished WHERE id = $2 AND queue + 0 = $1 AND status = 'completed'
) AS told
ORDER BY part, number
