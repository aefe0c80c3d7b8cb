-- How far those schedules of a batch are that are known.
SELECT json_group_object(target, last) FROM netscript_schedule
WHERE queue = :queue AND target IN (SELECT value FROM json_each(:targets))
