SELECT position, time, stream, level, line, execution
FROM netscript.line WHERE execution = ANY ($1::bigint[])
ORDER BY execution, position
