SELECT netscript.remove(
  $1, ARRAY(
    SELECT id FROM netscript.finished
    WHERE queue = $1 AND status IN ('failed', 'timeout') AND ($2::text[] IS NULL OR id = ANY ($2::text[]))
      AND ($3::text IS NULL OR target = $3::text) AND ($4::text IS NULL OR topic = $4::text)
  )
)
