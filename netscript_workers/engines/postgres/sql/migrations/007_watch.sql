-- What idle workers ask. Functions, so that a plan made while the tables were empty never reads them from end to end.

-- Whether a claim for these topics may find something, and in how many ms the next pending row is due. `p_deaf`: the caller hears
-- no notification, which is how others learn that a target has room again; so for it a row held back may be claimable too.
CREATE FUNCTION netscript.look_for_work(p_queue integer, p_topics text[], p_now bigint, p_deaf boolean)
RETURNS TABLE (waiting boolean, until_due bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
  waiting := EXISTS (
    SELECT FROM unnest(p_topics) AS t (topic)
    WHERE (
        EXISTS (
          SELECT FROM netscript.execution AS e
          WHERE e.queue = p_queue AND e.topic = t.topic AND e.status = 'queued' AND NOT e.parked
        )
        OR p_deaf AND EXISTS (
          SELECT FROM netscript.execution AS e
          WHERE e.queue = p_queue AND e.topic = t.topic AND e.status = 'queued' AND e.parked
        )
      )
      AND NOT EXISTS (SELECT FROM netscript.pause AS p WHERE p.queue = p_queue AND p.topic = t.topic)
  );
  until_due := (
    SELECT e.due_at FROM netscript.execution AS e
    WHERE e.queue = p_queue AND e.status = 'pending' ORDER BY e.due_at LIMIT 1
  ) - coalesce(p_now, netscript.now_ms());
  RETURN NEXT;
END $$;

-- Which of these live claims somebody asked to cancel.
CREATE FUNCTION netscript.asked_to_cancel(p_queue integer, p_ids text[], p_tokens bigint[]) RETURNS SETOF text
LANGUAGE plpgsql
SET search_path = pg_catalog SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
  RETURN QUERY
  SELECT e.id
  FROM unnest(p_ids, p_tokens) AS c (id, token)
  JOIN netscript.execution AS e ON e.id = c.id AND e.queue + 0 = p_queue AND e.token = c.token AND e.lease_until IS NOT NULL
  WHERE e.cancel_asked;
END $$;

-- Of each topic: pending, queued, running, paused, and the age of its oldest queued row. Reads all that waits or runs, and
-- that is fastest from end to end.
CREATE FUNCTION netscript.count_depths(p_queue integer, p_now bigint)
RETURNS TABLE (topic text, pending bigint, queued bigint, running bigint, paused boolean, oldest_age bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog SET enable_seqscan = on
AS $$
  SELECT
    counts.topic, sum(pending)::bigint, sum(queued)::bigint, sum(running)::bigint, bool_or(paused),
    CASE WHEN min(oldest) IS NOT NULL THEN greatest(0, coalesce(p_now, netscript.now_ms()) - min(oldest)) END
  FROM (
    SELECT
      topic, count(*) FILTER (WHERE status = 'pending') AS pending, count(*) FILTER (WHERE status = 'queued') AS queued,
      count(*) FILTER (WHERE status = 'running') AS running, false AS paused,
      min(triggered_at) FILTER (WHERE status = 'queued') AS oldest
    FROM netscript.execution WHERE queue = p_queue GROUP BY topic
    UNION ALL
    SELECT topic, 0, 0, 0, true, NULL FROM netscript.pause WHERE queue = p_queue
  ) AS counts
  GROUP BY topic
  ORDER BY topic
$$;
