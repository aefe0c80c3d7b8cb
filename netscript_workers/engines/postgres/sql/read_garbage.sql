SELECT id, reason, failed_at, raw
FROM netscript.garbage
WHERE queue = $1 AND ($2::text[] IS NULL OR id = ANY ($2::text[]))
ORDER BY failed_at DESC, id DESC
LIMIT $3::bigint
