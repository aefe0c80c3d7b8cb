-- Take rows of targets at their limit out of the claim index, as far as the first :reach rows of each topic.
UPDATE netscript_execution
SET parked = 1
WHERE seq IN (
  SELECT hit.value
  FROM json_each(:topics) AS t
  CROSS JOIN json_each((
    SELECT json_group_array(seq) FILTER (WHERE target IN (SELECT value FROM json_each(:blocked)))
    FROM (
      SELECT seq, target
      FROM netscript_execution INDEXED BY netscript_claimable
      WHERE queue = :queue AND topic = t.value AND status = 'queued' AND parked = 0
      ORDER BY priority DESC, seq
      LIMIT :reach
    )
  )) AS hit
)
