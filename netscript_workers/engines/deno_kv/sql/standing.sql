-- How far those schedules of a batch are that are known, and what they are.
SELECT json_group_object(target, json_array(last, mark)) FROM netscript_schedule
WHERE queue = :queue AND target IN (SELECT key FROM json_each(:marks))
