DELETE FROM queue
WHERE rowid IN (
  SELECT q.rowid
  FROM json_each(:batch) AS given
  CROSS JOIN queue AS q ON q.rowid = (given.value ->> 0)
  WHERE hex(q.ts) || ':' || hex(q.id) = (given.value ->> 1)
)
RETURNING rowid
