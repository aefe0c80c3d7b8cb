-- The worker that ended, and those that fell silent long ago.
DELETE FROM netscript.worker
WHERE queue = $1 AND (id = $2 OR last_seen_at < coalesce($4::bigint, netscript.now_ms()) - $3::bigint)
