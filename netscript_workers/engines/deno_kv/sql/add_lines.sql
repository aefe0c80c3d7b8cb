-- Put lines behind those that are there; only of claims (or settlements) that are still the live ones.
INSERT INTO netscript_line (execution, position, time, stream, level, line)
SELECT
  e.seq,
  coalesce((SELECT max(position) FROM netscript_line WHERE execution = e.seq), 0)
    + row_number() OVER (PARTITION BY e.seq ORDER BY given.key),
  value ->> 2, value ->> 3, value ->> 4, value ->> 5
FROM json_each(:batch) AS given
CROSS JOIN netscript_execution AS e
WHERE e.id = (given.value ->> 0) AND +e.queue = :queue AND e.token = (given.value ->> 1)
