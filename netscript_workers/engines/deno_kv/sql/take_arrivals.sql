DELETE FROM queue
WHERE rowid IN (
  SELECT q.rowid FROM json_each(:batch) AS given CROSS JOIN queue AS q ON q.ts = (given.value ->> 0) AND q.id = (given.value ->> 1)
)
RETURNING id
