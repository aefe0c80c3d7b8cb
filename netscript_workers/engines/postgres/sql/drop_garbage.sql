WITH gone AS (
  DELETE FROM netscript.garbage
  WHERE queue = $1 AND failed_at <= coalesce($3::bigint, netscript.now_ms()) - $2::bigint
  RETURNING id
)
SELECT count(*) FROM gone
