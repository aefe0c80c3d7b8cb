-- Of each topic: pending, queued, running, paused, and when its oldest queued row was triggered.
WITH counts (topic, pending, queued, running, paused, oldest) AS (
  SELECT topic, 0, count(*), 0, 0, min(seq) FROM netscript_execution INDEXED BY netscript_claimable
  WHERE queue = :queue AND status = 'queued' AND parked = 0 GROUP BY topic
  UNION ALL
  SELECT topic, 0, count(*), 0, 0, min(seq) FROM netscript_execution INDEXED BY netscript_parked
  WHERE queue = :queue AND status = 'queued' AND parked = 1 GROUP BY topic
  UNION ALL
  SELECT topic, count(*), 0, 0, 0, NULL FROM netscript_execution INDEXED BY netscript_due
  WHERE queue = :queue AND status = 'pending' GROUP BY topic
  UNION ALL
  SELECT topic, 0, 0, count(*), 0, NULL FROM netscript_execution INDEXED BY netscript_running
  WHERE queue = :queue AND status = 'running' GROUP BY topic
  UNION ALL
  SELECT topic, 0, 0, 0, 1, NULL FROM netscript_pause WHERE queue = :queue
),
sums AS (
  SELECT topic, sum(pending) AS pending, sum(queued) AS queued, sum(running) AS running, max(paused) AS paused,
    min(oldest) AS oldest
  FROM counts GROUP BY topic ORDER BY topic
)
SELECT json_group_array(json_array(
  topic, pending, queued, running, paused,
  (SELECT triggered_at FROM netscript_execution AS e WHERE e.seq = sums.oldest)
))
FROM sums
