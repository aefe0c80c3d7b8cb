INSERT INTO netscript.worker (queue, id, info, last_seen_at)
VALUES ($1, $2, $3, coalesce($4::bigint, netscript.now_ms()))
ON CONFLICT (queue, id) DO UPDATE SET last_seen_at = excluded.last_seen_at, info = excluded.info
