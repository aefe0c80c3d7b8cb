-- What Deno has put into its queue, in the order of its time due and its enqueue (kind 0), then the names alone of what its
-- consumers run (kind 1). A row is known by its number and its name: that holds for values of any type, and a number may be used again.
SELECT 0, q.rowid, hex(q.ts) || ':' || hex(q.id), q.ts, CAST(q.data AS BLOB), CAST(q.backoff_schedule AS BLOB),
  CAST(q.keys_if_undelivered AS BLOB)
FROM (SELECT rowid AS number FROM queue ORDER BY ts, rowid LIMIT :limit) AS first
CROSS JOIN queue AS q ON q.rowid = first.number
UNION ALL
SELECT 1, rowid, hex(deadline) || ':' || hex(id), NULL, NULL, NULL, NULL
FROM (SELECT rowid, deadline, id FROM queue_running ORDER BY deadline LIMIT :limit)
