-- What Deno has put into its queue, in the order of its time due and its enqueue, and what a consumer of Deno's left running:
-- such a one renews its deadline all the time, so one that is long past means that it has died.
SELECT 0, ts, id, CAST(data AS BLOB), backoff_schedule, keys_if_undelivered
FROM (SELECT * FROM queue ORDER BY ts, rowid LIMIT :limit)
UNION ALL
SELECT 1, deadline, id, CAST(data AS BLOB), backoff_schedule, keys_if_undelivered
FROM (SELECT * FROM queue_running WHERE deadline < :stranded ORDER BY deadline LIMIT :limit)
