SELECT l.position, l.time, l.stream, l.level, l.line
FROM netscript.line AS l
WHERE l.execution IN (
    SELECT seq FROM netscript.execution WHERE id = $2 AND queue + 0 = $1
    UNION ALL
    SELECT seq FROM netscript.finished WHERE id = $2 AND queue + 0 = $1
  )
  AND l.position > $3
ORDER BY l.position
