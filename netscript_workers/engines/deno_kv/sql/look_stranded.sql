-- What dead consumers of Deno's left running, of a batch of (number, name).
SELECT 1, q.rowid, hex(q.deadline) || ':' || hex(q.id), NULL, CAST(q.data AS BLOB), CAST(q.backoff_schedule AS BLOB),
  CAST(q.keys_if_undelivered AS BLOB)
FROM json_each(:batch) AS given
CROSS JOIN queue_running AS q ON q.rowid = (given.value ->> 0)
WHERE hex(q.deadline) || ':' || hex(q.id) = (given.value ->> 1)
