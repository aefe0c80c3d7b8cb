WITH gone AS (
  DELETE FROM netscript.garbage WHERE queue = $1 AND ($2::text[] IS NULL OR id = ANY ($2::text[])) RETURNING id
)
SELECT count(*) FROM gone
