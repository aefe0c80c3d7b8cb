SELECT json_group_array(seq)
FROM (
  SELECT seq
  FROM netscript_execution INDEXED BY netscript_running
  WHERE queue = :queue AND status = 'running' AND lease_until < :now
  ORDER BY lease_until
  LIMIT :limit
)
