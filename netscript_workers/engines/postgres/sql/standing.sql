SELECT now, last FROM netscript.standing($1, $2::text::text[], $3::text::text[], $4)
