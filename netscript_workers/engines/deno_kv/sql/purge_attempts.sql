DELETE FROM netscript_attempt
WHERE execution IN (
  SELECT seq FROM netscript_execution WHERE id IN (SELECT value FROM json_each(:ids)) AND +queue = :queue
  UNION ALL
  SELECT seq FROM netscript_archive WHERE id IN (SELECT value FROM json_each(:ids)) AND +queue = :queue
)
