-- The kept lines of some rows, in order.
SELECT json_group_array(json_array(execution, position, json_array(time, stream, level, line)))
FROM (
  SELECT * FROM netscript_line WHERE execution IN (SELECT value FROM json_each(:seqs)) ORDER BY execution, position
)
