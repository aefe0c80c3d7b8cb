-- Schedules seen for the first time.
INSERT INTO netscript_schedule (queue, target, last)
SELECT :queue, value, :now FROM json_each(:targets)
WHERE true
ON CONFLICT DO NOTHING
