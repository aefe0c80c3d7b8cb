-- Ids of dead letters in the archive, the latest failure first.
SELECT json_group_array(id)
FROM (
  SELECT id
  FROM netscript_archive INDEXED BY netscript_archive_dead
  WHERE queue = :queue AND status IN ('failed', 'timeout')
    AND (:target IS NULL OR target = :target) AND (:topic IS NULL OR topic = :topic)
    AND (:ids IS NULL OR id IN (SELECT value FROM json_each(:ids)))
  ORDER BY completed_at DESC, seq DESC
  LIMIT :limit
)
