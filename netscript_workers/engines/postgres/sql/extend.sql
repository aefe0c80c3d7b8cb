SELECT netscript.extend($1, $2::text::text[], $3::text::bigint[], $4)
