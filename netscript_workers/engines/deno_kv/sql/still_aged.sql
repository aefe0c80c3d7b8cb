-- Which of a batch (id, token, archive_at) stand as they were read: not run again, not restored since.
SELECT json_group_array(id)
FROM (
  SELECT e.id
  FROM json_each(:batch) AS given CROSS JOIN netscript_execution AS e
  WHERE e.id = (given.value ->> 0) AND +e.queue = :queue AND e.token = (given.value ->> 1)
    AND +e.archive_at = (given.value ->> 2)
  UNION ALL
  SELECT a.id
  FROM json_each(:batch) AS given CROSS JOIN netscript_archive AS a
  WHERE a.id = (given.value ->> 0) AND +a.queue = :queue AND a.token = (given.value ->> 1)
    AND +a.archive_at = (given.value ->> 2)
)
