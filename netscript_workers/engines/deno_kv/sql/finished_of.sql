SELECT json_group_array(id)
FROM (
  SELECT id FROM netscript_execution
  WHERE id IN (SELECT value FROM json_each(:ids)) AND +queue = :queue AND archive_at IS NOT NULL
  UNION ALL
  SELECT id FROM netscript_archive WHERE id IN (SELECT value FROM json_each(:ids)) AND +queue = :queue
)
