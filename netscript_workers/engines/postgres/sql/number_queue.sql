-- The number of a queue name; a name met for the first time gets one.
WITH made AS (
  INSERT INTO netscript.queue (name)
  SELECT $1::text WHERE NOT EXISTS (SELECT FROM netscript.queue WHERE name = $1::text)
  ON CONFLICT DO NOTHING
  RETURNING number
)
SELECT number FROM made UNION ALL SELECT number FROM netscript.queue WHERE name = $1::text
