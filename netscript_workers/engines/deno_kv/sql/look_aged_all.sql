-- Ids past their live age, for an archive elsewhere: what rests in our own archive first, then live ones, the oldest first.
SELECT json_group_array(id)
FROM (
  SELECT id FROM (SELECT id FROM netscript_archive WHERE queue = :queue ORDER BY delete_at LIMIT :limit)
  UNION ALL
  SELECT id FROM (
    SELECT id FROM netscript_execution INDEXED BY netscript_ageing
    WHERE queue = :queue AND archive_at <= :now AND archive_at IS NOT NULL ORDER BY archive_at, seq LIMIT :limit
  )
  LIMIT :limit
)
