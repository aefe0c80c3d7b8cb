SELECT json_group_array(seq)
FROM (
  SELECT seq
  FROM netscript_execution
  WHERE queue = :queue AND status = 'running' AND lease_until < :now
  ORDER BY lease_until
  LIMIT :limit
)
