-- What a claim must know, in one row: when the next pending row is due, whether rows are parked, how many runs the limited
-- targets have, and for each lane the best rows of its topics, as many as it can take.
WITH wanted AS (
  SELECT key AS place, value ->> 0 AS lane, value ->> 1 AS topic, value ->> 2 AS lane_limit
  FROM json_each(:wanted)
  WHERE NOT EXISTS (SELECT 1 FROM netscript_pause AS p WHERE p.queue = :queue AND p.topic = (value ->> 1))
),
best AS (
  SELECT
    w.lane, w.place, w.lane_limit, hit.value AS seq,
    row_number() OVER (PARTITION BY w.lane ORDER BY w.place, hit.key) AS rank
  FROM wanted AS w
  CROSS JOIN json_each((
    SELECT json_group_array(seq)
    FROM (
      SELECT seq
      FROM netscript_execution INDEXED BY netscript_claimable
      WHERE queue = :queue AND topic = w.topic AND status = 'queued' AND parked = 0
      ORDER BY priority DESC, seq
      LIMIT :total
    )
  )) AS hit
)
SELECT json_array(
  (SELECT min(due_at) FROM netscript_execution INDEXED BY netscript_due WHERE queue = :queue AND status = 'pending'),
  EXISTS (SELECT 1 FROM netscript_execution INDEXED BY netscript_parked WHERE queue = :queue AND status = 'queued' AND parked = 1),
  (
    SELECT json_group_object(value, (
      SELECT count(*) FROM netscript_execution AS r INDEXED BY netscript_running
      WHERE r.queue = :queue AND r.target = value AND r.status = 'running'
    ))
    FROM json_each(:limited)
  ),
  (
    SELECT json_group_array(json_array(
      b.lane, b.place, e.parked, e.seq, e.id, e.concept, e.target, e.topic, e.triggered_by, e.triggered_at, e.payload,
      e.priority, e.attempt, e.max_attempts, e.correlation_id, e.idempotency_key, e.traceparent, e.tracestate
    ))
    FROM best AS b
    CROSS JOIN netscript_execution AS e ON e.seq = b.seq
    WHERE b.rank <= b.lane_limit
  )
)
