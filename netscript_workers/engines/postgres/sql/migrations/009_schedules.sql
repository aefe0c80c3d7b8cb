-- How far the schedules are. `last` is the latest tick that was enqueued, or when the schedule was first seen; it only moves forward.
-- `queue + 0` leaves the planner one way to look for a row, by its target.
CREATE TABLE netscript.schedule (
  queue integer NOT NULL,
  target text COLLATE "C" NOT NULL,
  last bigint NOT NULL,
  PRIMARY KEY (target, queue)
) WITH (fillfactor = 50);

-- Tell how far schedules are, in the order given; one not yet known begins now. Written in the order of their names, so that no two
-- wait for each other.
CREATE FUNCTION netscript.standing(p_queue integer, p_targets text[], p_now bigint)
RETURNS TABLE (now bigint, last bigint[])
LANGUAGE plpgsql
SET search_path = pg_catalog SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET lock_timeout = '8s'
AS $$
#variable_conflict use_column
DECLARE
  v_now bigint := coalesce(p_now, netscript.now_ms());
  v_last bigint[];
BEGIN
  v_last := ARRAY(
    SELECT s.last
    FROM unnest(p_targets) WITH ORDINALITY AS g (target, place)
    LEFT JOIN netscript.schedule AS s ON s.queue + 0 = p_queue AND s.target = g.target
    ORDER BY g.place
  );
  IF array_position(v_last, NULL) IS NOT NULL THEN
    INSERT INTO netscript.schedule (queue, target, last)
    SELECT DISTINCT p_queue, g.target COLLATE "C" AS target, v_now
    FROM unnest(p_targets, v_last) AS g (target, last)
    WHERE g.last IS NULL
    ORDER BY target
    ON CONFLICT DO NOTHING;
    -- Another may have noted it before, or taken it away since: then it began now and was forgotten.
    v_last := ARRAY(
      SELECT coalesce(s.last, v_now)
      FROM unnest(p_targets) WITH ORDINALITY AS g (target, place)
      LEFT JOIN netscript.schedule AS s ON s.queue + 0 = p_queue AND s.target = g.target
      ORDER BY g.place
    );
  END IF;
  RETURN QUERY SELECT v_now, v_last;
END $$;

-- Enqueue the ticks that are new and note them. Returns a row for each that was not enqueued: its place, from 1, and the id that stands
-- for its request, or null where the tick is not new. The schedules are locked in the order of their names, so that no two batches
-- wait for each other; who waited sees what the other has noted, for each statement has a snapshot of its own.
CREATE FUNCTION netscript.enqueue_ticks(
  p_queue integer, p_schedules text[], p_moments bigint[],
  p_ids text[], p_concepts text[], p_targets text[], p_topics text[], p_priorities integer[],
  p_delays bigint[], p_max_attempts integer[], p_triggered_by text[], p_keys text[], p_correlations text[],
  p_traceparents text[], p_tracestates text[], p_payloads bytea[], p_token bigint, p_key_holds bigint, p_now bigint
) RETURNS TABLE (place bigint, holder text)
LANGUAGE plpgsql
SET search_path = pg_catalog SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET lock_timeout = '8s'
AS $$
#variable_conflict use_column
DECLARE
  v_places bigint[];
BEGIN
  -- Most schedulers come second: they need no lock to see it.
  IF EXISTS (
    SELECT FROM unnest(p_schedules, p_moments) AS g (schedule, moment)
    JOIN netscript.schedule AS s ON s.queue + 0 = p_queue AND s.target = g.schedule AND s.last < g.moment
  ) THEN
    PERFORM FROM netscript.schedule AS s
    WHERE s.queue + 0 = p_queue AND s.target = ANY (p_schedules)
    ORDER BY s.target
    FOR UPDATE;
    -- New is what is later than its schedule's last tick and than those before it in the batch.
    SELECT
      array_agg(n.place), array_agg(n.id), array_agg(n.concept), array_agg(n.target), array_agg(n.topic),
      array_agg(n.priority), array_agg(n.delay), array_agg(n.max_attempts), array_agg(n.triggered_by), array_agg(n.key),
      array_agg(n.correlation), array_agg(n.traceparent), array_agg(n.tracestate), array_agg(n.payload)
    INTO
      v_places, p_ids, p_concepts, p_targets, p_topics, p_priorities, p_delays, p_max_attempts, p_triggered_by, p_keys,
      p_correlations, p_traceparents, p_tracestates, p_payloads
    FROM (
      SELECT
        g.*,
        g.moment > greatest(s.last, max(g.moment) OVER (
          PARTITION BY g.schedule ORDER BY g.place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        )) AS is_new
      FROM unnest(
        p_schedules, p_moments, p_ids, p_concepts, p_targets, p_topics, p_priorities, p_delays, p_max_attempts,
        p_triggered_by, p_keys, p_correlations, p_traceparents, p_tracestates, p_payloads
      ) WITH ORDINALITY AS g (
        schedule, moment, id, concept, target, topic, priority, delay, max_attempts, triggered_by, key, correlation,
        traceparent, tracestate, payload, place
      )
      JOIN netscript.schedule AS s ON s.queue + 0 = p_queue AND s.target = g.schedule
      ORDER BY g.place
    ) AS n
    WHERE n.is_new;
  END IF;
  IF v_places IS NOT NULL THEN
    UPDATE netscript.schedule AS s SET last = n.last
    FROM (
      SELECT g.schedule, max(g.moment) AS last
      FROM unnest(p_schedules, p_moments) AS g (schedule, moment)
      GROUP BY g.schedule
    ) AS n
    WHERE s.queue + 0 = p_queue AND s.target = n.schedule AND s.last < n.last;
    RETURN QUERY
    SELECT v_places[e.place], e.holder
    FROM netscript.enqueue(
      p_queue, p_ids, p_concepts, p_targets, p_topics, p_priorities, p_delays, p_max_attempts, p_triggered_by, p_keys,
      p_correlations, p_traceparents, p_tracestates, p_payloads, p_token, p_key_holds, p_now
    ) AS e;
  END IF;
  IF coalesce(cardinality(v_places), 0) < cardinality(p_schedules) THEN
    RETURN QUERY
    SELECT g.place, NULL::text
    FROM generate_series(1::bigint, cardinality(p_schedules)) AS g (place)
    WHERE v_places IS NULL OR NOT g.place = ANY (v_places);
  END IF;
END $$;
