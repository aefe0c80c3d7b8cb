INSERT INTO netscript.garbage (queue, id, reason, raw, failed_at)
VALUES ($1, $2, $3, $4, coalesce($5::bigint, netscript.now_ms()))
