-- Store a batch: one insert, one notification. Returns a row for each request that was there already (by its id, or by an
-- idempotency key that an execution of its target holds): its place in the batch, from 1, and the id that stands.
CREATE FUNCTION netscript.enqueue(
  p_queue integer, p_ids text[], p_concepts text[], p_targets text[], p_topics text[], p_priorities integer[],
  p_delays bigint[], p_max_attempts integer[], p_triggered_by text[], p_keys text[], p_correlations text[],
  p_traceparents text[], p_tracestates text[], p_payloads bytea[], p_token bigint, p_key_holds bigint, p_now bigint
) RETURNS TABLE (place bigint, holder text)
LANGUAGE plpgsql
SET search_path = pg_catalog SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET lock_timeout = '8s'
AS $$
#variable_conflict use_column
DECLARE
  v_now bigint := coalesce(p_now, netscript.now_ms());
  v_held text[];
  v_fresh text[];
  v_stored bigint;
BEGIN
  IF EXISTS (SELECT FROM unnest(p_keys) AS k (key) WHERE k.key IS NOT NULL) THEN
    -- One enqueue at a time for one key; in the order of their numbers, so that no two wait for each other.
    PERFORM pg_advisory_xact_lock(l.number)
    FROM (
      SELECT DISTINCT hashtextextended(concat_ws(':', 'netscript key', p_queue, g.target, g.key), 0) AS number
      FROM unnest(p_targets, p_keys) AS g (target, key)
      WHERE g.key IS NOT NULL
      ORDER BY 1
    ) AS l;
    v_held := ARRAY(
      SELECT CASE WHEN g.key IS NOT NULL THEN coalesce(
        (
          SELECT h.id
          FROM (
            SELECT e.id, e.seq FROM netscript.execution AS e
            WHERE e.queue = p_queue AND e.target = g.target AND e.idempotency_key = g.key
            UNION ALL
            SELECT f.id, f.seq FROM netscript.finished AS f
            WHERE f.queue = p_queue AND f.target = g.target AND f.idempotency_key = g.key AND f.status = 'completed'
              AND f.completed_at > v_now - p_key_holds
          ) AS h
          ORDER BY h.seq LIMIT 1
        ),
        first_value(g.id) OVER (PARTITION BY g.target, g.key ORDER BY g.place)
      ) END
      FROM unnest(p_ids, p_targets, p_keys) WITH ORDINALITY AS g (id, target, key, place)
      ORDER BY g.place
    );
  END IF;
  WITH stored AS (
    INSERT INTO netscript.execution AS e (
      token, triggered_at, due_at, queue, priority, max_attempts, status, id, concept, target, topic, triggered_by,
      correlation_id, idempotency_key, traceparent, tracestate, payload
    )
    SELECT
      p_token, v_now, CASE WHEN g.delay > 0 THEN v_now + g.delay END, p_queue, g.priority, g.max_attempts,
      CASE WHEN g.delay > 0 THEN 'pending' ELSE 'queued' END, g.id, g.concept, g.target, g.topic, g.triggered_by,
      g.correlation, g.key, g.traceparent, g.tracestate, g.payload
    FROM unnest(
      p_ids, p_concepts, p_targets, p_topics, p_priorities, p_delays, p_max_attempts, p_triggered_by, p_keys,
      p_correlations, p_traceparents, p_tracestates, p_payloads
    ) WITH ORDINALITY AS g (
      id, concept, target, topic, priority, delay, max_attempts, triggered_by, key, correlation, traceparent, tracestate,
      payload, place
    )
    WHERE (v_held IS NULL OR coalesce(v_held[g.place] = g.id, true))
      AND NOT EXISTS (SELECT FROM netscript.finished AS f WHERE f.id = g.id AND f.queue + 0 = p_queue)
    ON CONFLICT DO NOTHING
    RETURNING e.id
  )
  SELECT count(*), array_agg(s.id) INTO v_stored, v_fresh FROM stored AS s;
  PERFORM pg_notify(format('netscript_%s_work', p_queue), '');
  IF v_stored < cardinality(p_ids) THEN
    RETURN QUERY
    SELECT t.place, t.holder
    FROM (
      SELECT
        g.place, coalesce(v_held[g.place], g.id) AS holder, g.id,
        row_number() OVER (PARTITION BY g.id ORDER BY g.place) AS nth
      FROM unnest(p_ids) WITH ORDINALITY AS g (id, place)
    ) AS t
    WHERE t.holder <> t.id OR t.nth > 1 OR NOT coalesce(t.id = ANY (v_fresh), false);
  END IF;
END $$;
