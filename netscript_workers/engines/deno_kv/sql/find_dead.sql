-- Ids of dead letters, the latest failure first.
SELECT json_group_array(id)
FROM (
  SELECT id
  FROM (
    SELECT id, completed_at, seq, target, topic FROM netscript_execution INDEXED BY netscript_finished
    WHERE queue = :queue AND status IN ('failed', 'timeout') AND archive_at IS NOT NULL
    UNION ALL
    SELECT id, completed_at, seq, target, topic FROM netscript_archive
    WHERE queue = :queue AND status IN ('failed', 'timeout')
  )
  WHERE (:target IS NULL OR target = :target) AND (:topic IS NULL OR topic = :topic)
    AND (:ids IS NULL OR id IN (SELECT value FROM json_each(:ids)))
  ORDER BY completed_at DESC, seq DESC
  LIMIT :limit
)
