INSERT INTO netscript.line (execution, position, time, stream, level, line)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[])
