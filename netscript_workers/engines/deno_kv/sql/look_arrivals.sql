-- What Deno has put into its queue, in the order of its time due and its enqueue, and what a consumer of Deno's left running:
-- such a one renews its deadline all the time, so one that is long past means that it has died.
SELECT 0, q.ts, q.id, CAST(q.data AS BLOB), q.backoff_schedule, q.keys_if_undelivered
FROM (SELECT rowid AS number FROM queue ORDER BY ts, rowid LIMIT :limit) AS first
CROSS JOIN queue AS q ON q.rowid = first.number
UNION ALL
SELECT 1, deadline, id, CAST(data AS BLOB), backoff_schedule, keys_if_undelivered
FROM (SELECT * FROM queue_running WHERE deadline < :stranded ORDER BY deadline LIMIT :limit)
