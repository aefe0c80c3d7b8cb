-- The worker that ended, and those that fell silent long ago.
DELETE FROM netscript_worker WHERE queue = :queue AND (id = :id OR last_seen_at < :silent_since)
