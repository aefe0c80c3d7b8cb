SELECT json_group_array(json_array(id, reason, failed_at, hex(raw)))
FROM (
  SELECT * FROM netscript_garbage
  WHERE queue = :queue AND failed_at > :kept_since AND (:ids IS NULL OR id IN (SELECT value FROM json_each(:ids)))
  ORDER BY failed_at DESC, id DESC
  LIMIT :limit
)
