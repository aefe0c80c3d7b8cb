-- Note the latest ticks of a batch, target to time; each is a schedule that is known (an update from a join would read the batch
-- anew for each of them).
INSERT INTO netscript_schedule (queue, target, last)
SELECT :queue, key, value FROM json_each(:last)
WHERE true
ON CONFLICT DO UPDATE SET last = excluded.last
