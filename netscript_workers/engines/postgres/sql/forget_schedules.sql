-- In the order of their names, as they are locked everywhere.
WITH gone AS (
  SELECT s.target FROM netscript.schedule AS s
  WHERE s.queue + 0 = $1::integer AND s.target = ANY ($2::text::text[])
  ORDER BY s.target
  FOR UPDATE
)
DELETE FROM netscript.schedule AS s USING gone WHERE s.queue + 0 = $1::integer AND s.target = gone.target
