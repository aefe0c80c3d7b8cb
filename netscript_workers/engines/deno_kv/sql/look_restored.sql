-- What came back from an archive outside, may still be there too, and stays live past `until`.
SELECT json_group_array(id)
FROM (
  SELECT e.id
  FROM netscript_restored AS r CROSS JOIN netscript_execution AS e
  WHERE r.queue = :queue AND e.id = r.id AND +e.queue = :queue AND coalesce(e.archive_at > :until, 1)
  LIMIT :limit
)
