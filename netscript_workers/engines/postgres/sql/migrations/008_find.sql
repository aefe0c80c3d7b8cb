-- Finished rows, newest first, live ones or archived ones; every argument that is not NULL must hold.
CREATE FUNCTION netscript.find_finished(
  p_queue integer, p_archived boolean, p_target text, p_topic text, p_status text, p_correlation text, p_limit bigint
) RETURNS SETOF netscript.finished
LANGUAGE plpgsql
SET search_path = pg_catalog SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
  IF p_correlation IS NOT NULL THEN
    RETURN QUERY
    SELECT f.* FROM netscript.finished AS f
    WHERE f.queue = p_queue AND f.archived = p_archived AND f.correlation_id = p_correlation
      AND (p_target IS NULL OR f.target = p_target) AND (p_topic IS NULL OR f.topic = p_topic)
      AND (p_status IS NULL OR f.status = p_status)
    ORDER BY f.seq DESC LIMIT p_limit;
  ELSIF p_status IS NULL OR p_status IN ('completed', 'failed', 'timeout', 'cancelled') THEN
    RETURN QUERY
    WITH RECURSIVE pair (target, topic) AS (
      (
        SELECT f.target, f.topic FROM netscript.finished AS f
        WHERE f.queue = p_queue AND f.archived = p_archived AND f.target >= coalesce(p_target, '')
        ORDER BY f.target, f.topic LIMIT 1
      )
      UNION ALL
      SELECT n.target, n.topic FROM pair AS p
      CROSS JOIN LATERAL (
        SELECT f.target, f.topic FROM netscript.finished AS f
        WHERE f.queue = p_queue AND f.archived = p_archived AND (f.target, f.topic) > (p.target, p.topic)
        ORDER BY f.target, f.topic LIMIT 1
      ) AS n
      WHERE p_target IS NULL OR n.target = p_target
    )
    SELECT n.* FROM pair AS p
    CROSS JOIN unnest(
      CASE WHEN p_status IS NULL THEN '{completed,failed,timeout,cancelled}' ELSE ARRAY[p_status] END
    ) AS s (status)
    CROSS JOIN LATERAL (
      SELECT f.* FROM netscript.finished AS f
      WHERE f.queue = p_queue AND f.archived = p_archived AND f.target = p.target AND f.topic = p.topic
        AND f.status = s.status
      ORDER BY f.seq DESC LIMIT p_limit
    ) AS n
    WHERE (p_target IS NULL OR p.target = p_target) AND (p_topic IS NULL OR p.topic = p_topic)
    ORDER BY n.seq DESC LIMIT p_limit;
  END IF;
END $$;

-- The same of what waits or runs.
CREATE FUNCTION netscript.find_unfinished(
  p_queue integer, p_target text, p_topic text, p_status text, p_correlation text, p_limit bigint
) RETURNS SETOF netscript.execution
LANGUAGE plpgsql
SET search_path = pg_catalog SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
  IF p_correlation IS NOT NULL THEN
    RETURN QUERY
    SELECT e.* FROM netscript.execution AS e
    WHERE e.queue = p_queue AND e.correlation_id = p_correlation
      AND (p_target IS NULL OR e.target = p_target) AND (p_topic IS NULL OR e.topic = p_topic)
      AND (p_status IS NULL OR e.status = p_status)
    ORDER BY e.seq DESC LIMIT p_limit;
    RETURN;
  END IF;
  IF p_status IS NULL OR p_status = 'running' THEN
    RETURN QUERY
    SELECT e.* FROM netscript.execution AS e
    WHERE e.queue = p_queue AND e.status = 'running'
      AND (p_target IS NULL OR e.target = p_target) AND (p_topic IS NULL OR e.topic = p_topic)
    ORDER BY e.seq DESC LIMIT p_limit;
  END IF;
  IF p_status IS NULL OR p_status IN ('pending', 'queued') THEN
    RETURN QUERY
    WITH RECURSIVE pair (target, topic) AS (
      (
        SELECT e.target, e.topic FROM netscript.execution AS e
        WHERE e.queue = p_queue AND e.status <> 'running' AND e.target >= coalesce(p_target, '')
        ORDER BY e.target, e.topic LIMIT 1
      )
      UNION ALL
      SELECT n.target, n.topic FROM pair AS p
      CROSS JOIN LATERAL (
        SELECT e.target, e.topic FROM netscript.execution AS e
        WHERE e.queue = p_queue AND e.status <> 'running' AND (e.target, e.topic) > (p.target, p.topic)
        ORDER BY e.target, e.topic LIMIT 1
      ) AS n
      WHERE p_target IS NULL OR n.target = p_target
    )
    SELECT n.* FROM pair AS p
    CROSS JOIN LATERAL (
      SELECT e.* FROM netscript.execution AS e
      WHERE e.queue = p_queue AND e.status <> 'running' AND e.target = p.target AND e.topic = p.topic
        AND (p_status IS NULL OR e.status = p_status)
      ORDER BY e.seq DESC LIMIT p_limit
    ) AS n
    WHERE (p_target IS NULL OR p.target = p_target) AND (p_topic IS NULL OR p.topic = p_topic)
    ORDER BY n.seq DESC LIMIT p_limit;
  END IF;
END $$;

-- Dead letters, the latest failure first; hops from pair to pair as above. `p_limit` NULL is no limit.
CREATE FUNCTION netscript.find_dead(p_queue integer, p_ids text[], p_target text, p_topic text, p_limit bigint)
RETURNS SETOF netscript.finished
LANGUAGE plpgsql
SET search_path = pg_catalog SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
  IF p_ids IS NOT NULL THEN
    RETURN QUERY
    SELECT f.* FROM netscript.finished AS f
    WHERE f.id = ANY (p_ids) AND f.queue + 0 = p_queue AND f.status IN ('failed', 'timeout')
      AND (p_target IS NULL OR f.target = p_target) AND (p_topic IS NULL OR f.topic = p_topic)
    ORDER BY f.completed_at DESC, f.seq DESC LIMIT p_limit;
    RETURN;
  END IF;
  RETURN QUERY
  WITH RECURSIVE pair (target, topic) AS (
    (
      SELECT f.target, f.topic FROM netscript.finished AS f
      WHERE f.queue = p_queue AND f.status IN ('failed', 'timeout') AND f.target >= coalesce(p_target, '')
      ORDER BY f.target, f.topic LIMIT 1
    )
    UNION ALL
    SELECT n.target, n.topic FROM pair AS p
    CROSS JOIN LATERAL (
      SELECT f.target, f.topic FROM netscript.finished AS f
      WHERE f.queue = p_queue AND f.status IN ('failed', 'timeout') AND (f.target, f.topic) > (p.target, p.topic)
      ORDER BY f.target, f.topic LIMIT 1
    ) AS n
    WHERE p_target IS NULL OR n.target = p_target
  )
  SELECT n.* FROM pair AS p
  CROSS JOIN LATERAL (
    SELECT f.* FROM netscript.finished AS f
    WHERE f.queue = p_queue AND f.status IN ('failed', 'timeout') AND f.target = p.target AND f.topic = p.topic
    ORDER BY f.completed_at DESC, f.seq DESC LIMIT p_limit
  ) AS n
  WHERE (p_target IS NULL OR p.target = p_target) AND (p_topic IS NULL OR p.topic = p_topic)
  ORDER BY n.completed_at DESC, n.seq DESC LIMIT p_limit;
END $$;

-- How many there are. Reads their index alone.
CREATE FUNCTION netscript.count_dead(p_queue integer) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
BEGIN
  RETURN (SELECT count(*) FROM netscript.finished WHERE queue = p_queue AND status IN ('failed', 'timeout'));
END $$;
