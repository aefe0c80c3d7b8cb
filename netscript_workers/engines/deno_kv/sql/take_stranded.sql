DELETE FROM queue_running
WHERE rowid IN (
  SELECT q.rowid
  FROM json_each(:batch) AS given
  CROSS JOIN queue_running AS q ON q.deadline = (given.value ->> 0) AND q.id = (given.value ->> 1)
)
RETURNING id
