-- The best parked rows of each target that may run again: its limit was lifted, or is not reached any more.
WITH RECURSIVE wanted AS (
  SELECT key AS place, value ->> 0 AS lane, value ->> 1 AS topic
  FROM json_each(:wanted)
  WHERE NOT EXISTS (SELECT 1 FROM netscript_pause AS p WHERE p.queue = :queue AND p.topic = (value ->> 1))
),
targets (target) AS (
  SELECT min(target) FROM netscript_execution INDEXED BY netscript_parked WHERE queue = :queue AND status = 'queued' AND parked = 1
  UNION ALL
  SELECT (
    SELECT min(n.target)
    FROM netscript_execution AS n INDEXED BY netscript_parked
    WHERE n.queue = :queue AND n.status = 'queued' AND n.parked = 1 AND n.target > targets.target
  )
  FROM targets
  WHERE targets.target IS NOT NULL
),
rooms AS (
  SELECT t.target, coalesce((SELECT value FROM json_each(:limits) WHERE key = t.target), 1000000000) - (
    SELECT count(*) FROM netscript_execution AS r INDEXED BY netscript_running
    WHERE r.queue = :queue AND r.target = t.target AND r.status = 'running'
  ) AS room
  FROM targets AS t
  WHERE t.target IS NOT NULL
),
best AS (
  SELECT
    w.lane, w.place, r.room, hit.value AS seq,
    row_number() OVER (PARTITION BY r.target, w.place ORDER BY hit.key) AS rank
  FROM rooms AS r
  CROSS JOIN wanted AS w
  CROSS JOIN json_each((
    SELECT json_group_array(seq)
    FROM (
      SELECT seq
      FROM netscript_execution INDEXED BY netscript_parked
      WHERE queue = :queue AND target = r.target AND topic = w.topic AND status = 'queued' AND parked = 1
      ORDER BY priority DESC, seq
      LIMIT :total
    )
  )) AS hit
  WHERE r.room > 0
)
SELECT json_group_array(json_array(
  b.lane, b.place, e.parked, e.seq, e.id, e.concept, e.target, e.topic, e.triggered_by, e.triggered_at, e.payload,
  e.priority, e.attempt, e.max_attempts, e.correlation_id, e.idempotency_key, e.traceparent, e.tracestate
))
FROM best AS b
CROSS JOIN netscript_execution AS e ON e.seq = b.seq
WHERE b.rank <= b.room
