-- Which executions hold the idempotency keys of a batch: the unfinished, and those completed since :since; the latest first.
SELECT json_group_array(json_array(target, idempotency_key, id))
FROM (
  SELECT e.target, e.idempotency_key, e.id, e.seq
  FROM json_each(:keys) AS given
  CROSS JOIN netscript_execution AS e
  WHERE e.queue = :queue AND e.target = (given.value ->> 0) AND e.idempotency_key = (given.value ->> 1)
    AND (e.archive_at IS NULL OR (e.status = 'completed' AND e.completed_at > :since))
  UNION ALL
  SELECT a.target, a.idempotency_key, a.id, a.seq
  FROM json_each(:keys) AS given
  CROSS JOIN netscript_archive AS a
  WHERE a.queue = :queue AND a.target = (given.value ->> 0) AND a.idempotency_key = (given.value ->> 1)
    AND a.status = 'completed' AND a.completed_at > :since
  ORDER BY 4 DESC
)
