-- Schedules seen for the first time, and those that are not what they were: they begin now. One noted without a mark takes it as it is.
INSERT INTO netscript_schedule (queue, target, last, mark)
SELECT :queue, key, :now, value FROM json_each(:marks)
WHERE true
ON CONFLICT DO UPDATE SET last = iif(mark = '', last, max(last, excluded.last)), mark = excluded.mark
WHERE excluded.mark <> '' AND mark <> excluded.mark
