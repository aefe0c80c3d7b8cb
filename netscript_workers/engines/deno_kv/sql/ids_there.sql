-- Which ids of a batch this file holds, live or archived.
SELECT json_group_array(id)
FROM (
  SELECT id FROM netscript_execution WHERE id IN (SELECT value FROM json_each(:ids)) AND +queue = :queue
  UNION ALL
  SELECT id FROM netscript_archive WHERE id IN (SELECT value FROM json_each(:ids)) AND +queue = :queue
)
