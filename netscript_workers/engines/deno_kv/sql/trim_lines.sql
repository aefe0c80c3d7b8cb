-- Keep the last lines of each execution only.
DELETE FROM netscript_line
WHERE (execution, position) IN (
  SELECT l.execution, l.position
  FROM json_each(:ids) AS given
  CROSS JOIN netscript_execution AS e
  CROSS JOIN netscript_line AS l
  WHERE e.id = given.value AND +e.queue = :queue AND l.execution = e.seq
    AND l.position <= (SELECT max(position) FROM netscript_line WHERE execution = e.seq) - :keep
)
