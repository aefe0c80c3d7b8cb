SELECT json_group_array(json_array(id, status))
FROM (
  SELECT id, status FROM netscript_execution
  WHERE id IN (SELECT value FROM json_each(:ids)) AND +queue = :queue
  UNION ALL
  SELECT id, status FROM netscript_archive
  WHERE id IN (SELECT value FROM json_each(:ids)) AND +queue = :queue
)
