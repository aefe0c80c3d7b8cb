SELECT json_group_array(json_array(
  attempt, worker_id, started_at, completed_at, cause, error, exit_code, peak_memory, cpu_ms
))
FROM (
  SELECT a.*
  FROM netscript_attempt AS a
  WHERE a.execution IN (
    SELECT seq FROM netscript_execution WHERE id = :id AND +queue = :queue
    UNION ALL
    SELECT seq FROM netscript_archive WHERE id = :id AND +queue = :queue
  )
  ORDER BY a.number
)
