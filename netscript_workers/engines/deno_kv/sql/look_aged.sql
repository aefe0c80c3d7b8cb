SELECT json_array(
  (SELECT json_group_array(id) FROM (
    SELECT id FROM netscript_execution INDEXED BY netscript_ageing
    WHERE queue = :queue AND archive_at <= :now AND archive_at IS NOT NULL ORDER BY archive_at LIMIT :limit
  )),
  (SELECT json_group_array(id) FROM (
    SELECT id FROM netscript_archive WHERE queue = :queue AND delete_at <= :now ORDER BY delete_at LIMIT :limit
  )),
  (SELECT count(*) FROM netscript_garbage WHERE queue = :queue AND failed_at <= :kept_since)
)
