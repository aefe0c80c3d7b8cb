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
  v_ended text[];
  v_lock record;
BEGIN
  IF EXISTS (SELECT FROM unnest(p_keys) AS k (key) WHERE k.key IS NOT NULL) THEN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
      RAISE EXCEPTION 'an idempotency key holds in transactions of READ COMMITTED only, and this one is %',
        upper(current_setting('transaction_isolation'))
      USING ERRCODE = 'NS001',
        DETAIL = 'Its snapshot may be older than the execution that has the key.';
    END IF;
    -- One enqueue at a time for one key; in the order of their numbers, so that no two wait for each other.
    FOR v_lock IN
      SELECT DISTINCT ON (l.number) l.number, l.target, l.key
      FROM (
        SELECT hashtextextended(concat_ws(':', 'netscript key', p_queue, g.target, g.key), 0) AS number, g.target, g.key
        FROM unnest(p_targets, p_keys) AS g (target, key)
        WHERE g.key IS NOT NULL
      ) AS l
      ORDER BY l.number
    LOOP
      CONTINUE WHEN pg_try_advisory_xact_lock(v_lock.number);
      BEGIN
        PERFORM pg_advisory_xact_lock(v_lock.number);
      EXCEPTION WHEN lock_not_available THEN
        RAISE EXCEPTION 'a transaction that is still open holds the idempotency key % of %',
          to_json(v_lock.key), to_json(v_lock.target)
        USING ERRCODE = 'lock_not_available', DETAIL = json_build_array(v_lock.target, v_lock.key);
      END;
    END LOOP;
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
              AND f.keyed_at > v_now - p_key_holds
          ) AS h
          ORDER BY h.seq LIMIT 1
        ),
        first_value(g.id) OVER (PARTITION BY g.target, g.key ORDER BY g.place)
      ) END
      FROM unnest(p_ids, p_targets, p_keys) WITH ORDINALITY AS g (id, target, key, place)
      ORDER BY g.place
    );
  END IF;
  -- By arrival in the order given, but written in the order of their ids, so that no two batches wait for each other.
  WITH stored AS (
    INSERT INTO netscript.execution AS e (
      seq, token, triggered_at, due_at, queue, priority, max_attempts, status, id, concept, target, topic, triggered_by,
      correlation_id, idempotency_key, traceparent, tracestate, payload
    )
    SELECT
      g.seq, p_token, v_now, CASE WHEN g.delay > 0 THEN v_now + g.delay END, p_queue, g.priority, g.max_attempts,
      CASE WHEN g.delay > 0 THEN 'pending' ELSE 'queued' END, g.id, g.concept, g.target, g.topic, g.triggered_by,
      g.correlation, g.key, g.traceparent, g.tracestate, g.payload
    FROM (
      SELECT nextval('netscript.arrival') AS seq, u.*
      FROM unnest(
        p_ids, p_concepts, p_targets, p_topics, p_priorities, p_delays, p_max_attempts, p_triggered_by, p_keys,
        p_correlations, p_traceparents, p_tracestates, p_payloads
      ) WITH ORDINALITY AS u (
        id, concept, target, topic, priority, delay, max_attempts, triggered_by, key, correlation, traceparent, tracestate,
        payload, place
      )
      WHERE v_held IS NULL OR coalesce(v_held[u.place] = u.id, true)
    ) AS g
    ORDER BY g.id COLLATE "C", g.seq
    ON CONFLICT DO NOTHING
    RETURNING e.id
  )
  SELECT coalesce(array_agg(s.id), '{}') INTO v_fresh FROM stored AS s;
  -- Those that have ended stay ended. A statement of its own, which sees also what was being settled while the rows above waited.
  v_ended := ARRAY(
    SELECT f.id FROM unnest(v_fresh) AS s (id)
    JOIN netscript.finished AS f ON f.id = s.id AND f.queue + 0 = p_queue
  );
  IF cardinality(v_ended) > 0 THEN
    DELETE FROM netscript.execution AS e WHERE e.id = ANY (v_ended) AND e.queue + 0 = p_queue;
    v_fresh := ARRAY(SELECT s.id FROM unnest(v_fresh) AS s (id) WHERE NOT s.id = ANY (v_ended));
  END IF;
  PERFORM pg_notify(format('netscript_%s_work', p_queue), '');
  IF cardinality(v_fresh) < cardinality(p_ids) THEN
    RETURN QUERY
    SELECT t.place, t.holder
    FROM (
      SELECT
        g.place, coalesce(v_held[g.place], g.id) AS holder, g.id,
        row_number() OVER (PARTITION BY g.id ORDER BY g.place) AS nth
      FROM unnest(p_ids) WITH ORDINALITY AS g (id, place)
    ) AS t
    WHERE t.holder <> t.id OR t.nth > 1 OR NOT t.id = ANY (v_fresh);
  END IF;
END $$;
