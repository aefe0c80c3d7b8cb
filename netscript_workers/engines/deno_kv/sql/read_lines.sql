SELECT json_group_array(json_array(position, json_array(time, stream, level, line)))
FROM (
  SELECT l.*
  FROM netscript_line AS l
  WHERE l.execution IN (
    SELECT seq FROM netscript_execution WHERE id = :id AND +queue = :queue
    UNION ALL
    SELECT seq FROM netscript_archive WHERE id = :id AND +queue = :queue
  )
  AND l.position > :after
  ORDER BY l.position
)
