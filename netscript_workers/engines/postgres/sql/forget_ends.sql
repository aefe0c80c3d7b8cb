SELECT pg_advisory_unlock_shared(hashtextextended(concat_ws(':', 'netscript ends', $1::integer), 0))
