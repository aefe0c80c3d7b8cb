-- The attempts of some rows that did not succeed, in order.
SELECT json_group_array(json_array(
  execution, attempt, worker_id, started_at, completed_at, cause, error, exit_code, peak_memory, cpu_ms
))
FROM (
  SELECT * FROM netscript_attempt WHERE execution IN (SELECT value FROM json_each(:seqs)) ORDER BY number
)
