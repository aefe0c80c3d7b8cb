-- Held by this session: every settlement of the queue notifies as long as somebody holds it.
SELECT pg_advisory_lock_shared(hashtextextended(concat_ws(':', 'netscript ends', $1::integer), 0))
