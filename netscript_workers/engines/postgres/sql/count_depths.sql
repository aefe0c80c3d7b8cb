-- Of each topic: pending, queued, running, paused, and the age of its oldest queued row.
SELECT
  topic, sum(pending)::bigint, sum(queued)::bigint, sum(running)::bigint, bool_or(paused),
  CASE WHEN min(oldest) IS NOT NULL THEN greatest(0, coalesce($2::bigint, netscript.now_ms()) - min(oldest)) END
FROM (
  SELECT
    topic, count(*) FILTER (WHERE status = 'pending') AS pending, count(*) FILTER (WHERE status = 'queued') AS queued,
    count(*) FILTER (WHERE status = 'running') AS running, false AS paused,
    min(triggered_at) FILTER (WHERE status = 'queued') AS oldest
  FROM netscript.execution WHERE queue = $1 GROUP BY topic
  UNION ALL
  SELECT topic, 0, 0, 0, true, NULL FROM netscript.pause WHERE queue = $1
) AS counts
GROUP BY topic
ORDER BY topic
