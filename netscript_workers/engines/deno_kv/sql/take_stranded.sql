DELETE FROM queue_running
WHERE rowid IN (
  SELECT q.rowid
  FROM json_each(:batch) AS given
  CROSS JOIN queue_running AS q ON q.rowid = (given.value ->> 0)
  WHERE hex(q.deadline) || ':' || hex(q.id) = (given.value ->> 1)
)
RETURNING rowid
