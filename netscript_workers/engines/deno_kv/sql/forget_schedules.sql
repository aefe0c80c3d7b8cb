DELETE FROM netscript_schedule WHERE queue = :queue AND target IN (SELECT value FROM json_each(:targets))
