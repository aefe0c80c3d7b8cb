SELECT json_group_array(seq)
FROM (
  SELECT e.seq
  FROM netscript_execution AS e INDEXED BY netscript_running
  WHERE e.queue = :queue AND e.status = 'running' AND e.lease_until < :now
    AND NOT EXISTS (SELECT 1 FROM json_each(:mine) AS own WHERE (own.value ->> 0) = e.id AND (own.value ->> 1) = e.token)
  ORDER BY e.lease_until
  LIMIT :limit
)
