DELETE FROM netscript_line
WHERE execution IN (
  SELECT seq FROM netscript_execution WHERE id IN (SELECT value FROM json_each(:ids)) AND +queue = :queue
  UNION ALL
  SELECT seq FROM netscript_archive WHERE id IN (SELECT value FROM json_each(:ids)) AND +queue = :queue
)
