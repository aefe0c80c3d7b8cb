SELECT json_group_array(json_array(id, seq))
FROM (
  SELECT id, seq FROM netscript_execution WHERE id IN (SELECT value FROM json_each(:ids)) AND +queue = :queue
)
