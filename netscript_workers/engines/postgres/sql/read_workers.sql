SELECT info, last_seen_at
FROM netscript.worker
WHERE queue = $1 AND last_seen_at >= coalesce($3::bigint, netscript.now_ms()) - $2::bigint
ORDER BY id
