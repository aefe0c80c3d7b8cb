SELECT * FROM netscript.asked_to_cancel($1, $2::text::text[], $3::text::bigint[])
