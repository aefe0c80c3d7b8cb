INSERT INTO netscript_worker (queue, id, last_seen_at, info) VALUES (:queue, :id, :now, :info)
ON CONFLICT (queue, id) DO UPDATE SET last_seen_at = excluded.last_seen_at, info = excluded.info
