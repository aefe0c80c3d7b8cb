-- Note the latest ticks of a batch, target to time.
UPDATE netscript_schedule SET last = given.value
FROM json_each(:last) AS given
WHERE queue = :queue AND target = given.key
