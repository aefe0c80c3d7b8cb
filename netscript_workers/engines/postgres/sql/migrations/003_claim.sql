-- The rooms that the limits of targets leave, under a lock for each limited target that has something waiting: returns the
-- names of those, which no other claim can hand out until this transaction ends.
CREATE FUNCTION netscript.lock_limited(p_queue integer, p_targets text[]) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET lock_timeout = '8s'
AS $$
DECLARE
  v_waiting text[];
BEGIN
  IF cardinality(p_targets) = 0 THEN
    RETURN '{}';
  END IF;
  v_waiting := ARRAY(
    SELECT t.target FROM unnest(p_targets) AS t (target)
    WHERE EXISTS (
      SELECT FROM netscript.execution AS e WHERE e.queue = p_queue AND e.target = t.target AND e.status <> 'running'
    )
  );
  PERFORM pg_advisory_xact_lock(l.number)
  FROM (
    SELECT DISTINCT hashtextextended(concat_ws(':', 'netscript limit', p_queue, t.target), 0) AS number
    FROM unnest(v_waiting) AS t (target)
    ORDER BY 1
  ) AS l;
  RETURN v_waiting;
END $$;

-- Rows that have become due can be claimed from now on.
CREATE FUNCTION netscript.promote(p_queue integer, p_now bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
BEGIN
  IF EXISTS (
    SELECT FROM netscript.execution AS e WHERE e.queue = p_queue AND e.status = 'pending' AND e.due_at <= p_now
  ) THEN
    UPDATE netscript.execution
    SET status = 'queued', due_at = NULL
    WHERE ctid = ANY (ARRAY(
      SELECT e.ctid FROM netscript.execution AS e
      WHERE e.queue = p_queue AND e.status = 'pending' AND e.due_at <= p_now
      ORDER BY e.due_at LIMIT 1000
      FOR UPDATE SKIP LOCKED
    ));
  END IF;
END $$;

-- Turn locked rows into claims.
CREATE FUNCTION netscript.take(
  p_places tid[], p_worker text, p_lease_ms bigint, p_token bigint, p_now bigint
) RETURNS TABLE (
  id text, concept text, target text, topic text, triggered_by text, triggered_at bigint, payload bytea, priority integer,
  attempt integer, max_attempts integer, started_at bigint, correlation_id text, idempotency_key text, traceparent text,
  tracestate text
)
LANGUAGE sql SET search_path = pg_catalog SET enable_seqscan = off SET jit = off
AS $$
  WITH ready AS MATERIALIZED (
    SELECT e.ctid AS place FROM netscript.execution AS e
    WHERE e.ctid = ANY (p_places) AND e.status = 'queued'
    FOR UPDATE SKIP LOCKED
  ),
  taken AS (
    UPDATE netscript.execution AS e
    SET status = 'running', parked = false, attempt = e.attempt + 1, token = p_token, worker_id = p_worker,
      started_at = p_now, lease_until = netscript.now_ms() + p_lease_ms, due_at = NULL, cancel_asked = false,
      progress = NULL, error = NULL, result = NULL, exit_code = NULL
    FROM ready
    WHERE e.ctid = ready.place
    RETURNING
      e.id, e.concept, e.target, e.topic, e.triggered_by, e.triggered_at, e.payload, e.priority, e.attempt, e.max_attempts,
      e.started_at, e.correlation_id, e.idempotency_key, e.traceparent, e.tracestate, e.seq
  )
  SELECT
    t.id, t.concept, t.target, t.topic, t.triggered_by, t.triggered_at, t.payload, t.priority, t.attempt, t.max_attempts,
    t.started_at, t.correlation_id, t.idempotency_key, t.traceparent, t.tracestate
  FROM taken AS t ORDER BY t.priority DESC, t.seq
$$;

-- Claim topic by topic, by priority and then age. `p_lanes`, `p_topics`, `p_rooms`: for each topic, in order, the number of its
-- lane and how much that lane takes in all.
CREATE FUNCTION netscript.claim(
  p_queue integer, p_worker text, p_lease_ms bigint, p_total integer, p_lanes integer[], p_topics text[],
  p_rooms integer[], p_targets text[], p_limits integer[], p_token bigint, p_now bigint
) RETURNS TABLE (
  id text, concept text, target text, topic text, triggered_by text, triggered_at bigint, payload bytea, priority integer,
  attempt integer, max_attempts integer, started_at bigint, correlation_id text, idempotency_key text, traceparent text,
  tracestate text
)
LANGUAGE plpgsql
SET search_path = pg_catalog SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
  v_now bigint := coalesce(p_now, netscript.now_ms());
  v_lease bigint := netscript.now_ms() + p_lease_ms;
  v_left integer := p_total;
  v_lane integer;
  v_room integer := 0;
  v_got integer;
  v_reach integer;
  v_locked text[];
  v_simple boolean;
  v_chosen tid[];
  v_blocked tid[];
BEGIN
  -- A claim that the server forgets in a crash is queued as before: its commit need not wait for the disk.
  PERFORM set_config('synchronous_commit', 'off', true);
  PERFORM netscript.promote(p_queue, v_now);
  v_locked := netscript.lock_limited(p_queue, p_targets);
  v_simple := cardinality(v_locked) = 0 AND NOT EXISTS (
    SELECT FROM netscript.execution AS e WHERE e.queue = p_queue AND e.status = 'queued' AND e.parked
  );
  FOR i IN 1 .. cardinality(p_topics) LOOP
    IF v_lane IS DISTINCT FROM p_lanes[i] THEN
      v_lane := p_lanes[i];
      v_room := p_rooms[i];
    END IF;
    v_room := least(v_room, v_left);
    CONTINUE WHEN v_room <= 0;
    CONTINUE WHEN EXISTS (SELECT FROM netscript.pause AS p WHERE p.queue = p_queue AND p.topic = p_topics[i]);
    IF v_simple THEN
      RETURN QUERY
      WITH ready AS MATERIALIZED (
        SELECT e.ctid AS place FROM netscript.execution AS e
        WHERE e.queue = p_queue AND e.topic = p_topics[i] AND e.status = 'queued' AND NOT e.parked
          AND NOT e.target = ANY (p_targets) -- one of these came after the locks: its claim is next
        ORDER BY e.priority DESC, e.seq LIMIT v_room
        FOR UPDATE SKIP LOCKED
      )
      -- In the order of `ready`: it is looped over, there is no other way to this join.
      UPDATE netscript.execution AS e
      SET status = 'running', attempt = e.attempt + 1, token = p_token, worker_id = p_worker,
        started_at = v_now, lease_until = v_lease, due_at = NULL, cancel_asked = false,
        progress = NULL, error = NULL, result = NULL, exit_code = NULL
      FROM ready
      WHERE e.ctid = ready.place
      RETURNING
        e.id, e.concept, e.target, e.topic, e.triggered_by, e.triggered_at, e.payload, e.priority, e.attempt, e.max_attempts,
          e.started_at, e.correlation_id, e.idempotency_key, e.traceparent, e.tracestate;
      GET DIAGNOSTICS v_got = ROW_COUNT;
      v_room := v_room - v_got;
      v_left := v_left - v_got;
      CONTINUE;
    END IF;
    v_reach := greatest(256, v_room);
    FOR v_round IN 1 .. 64 LOOP
      WITH RECURSIVE held (target) AS (
        (
          SELECT e.target FROM netscript.execution AS e
          WHERE e.queue = p_queue AND e.topic = p_topics[i] AND e.status = 'queued' AND e.parked
          ORDER BY e.target LIMIT 1
        )
        UNION ALL
        SELECT (
          SELECT e.target FROM netscript.execution AS e
          WHERE e.queue = p_queue AND e.topic = p_topics[i] AND e.status = 'queued' AND e.parked AND e.target > h.target
          ORDER BY e.target LIMIT 1
        )
        FROM held AS h WHERE h.target IS NOT NULL
      ),
      rooms AS MATERIALIZED (
        SELECT l.target, l.most - (
          SELECT count(*) FROM netscript.execution AS r
          WHERE r.queue = p_queue AND r.target = l.target AND r.status = 'running'
        ) AS room
        FROM unnest(p_targets, p_limits) AS l (target, most)
        WHERE l.target = ANY (v_locked)
      ),
      candidates AS (
        SELECT u.* FROM (
          SELECT e.ctid AS place, e.target, e.priority, e.seq, false AS parked FROM netscript.execution AS e
          WHERE e.queue = p_queue AND e.topic = p_topics[i] AND e.status = 'queued' AND NOT e.parked
          ORDER BY e.priority DESC, e.seq LIMIT v_reach
        ) AS u
        UNION ALL
        SELECT b.* FROM held AS h
        LEFT JOIN rooms AS r ON r.target = h.target
        CROSS JOIN LATERAL (
          SELECT e.ctid, e.target, e.priority, e.seq, true FROM netscript.execution AS e
          WHERE e.queue = p_queue AND e.topic = p_topics[i] AND e.target = h.target AND e.status = 'queued' AND e.parked
          ORDER BY e.priority DESC, e.seq LIMIT v_room
        ) AS b
        WHERE h.target IS NOT NULL AND coalesce(r.room > 0, true)
      ),
      judged AS (
        SELECT c.*, CASE
          WHEN r.target IS NOT NULL THEN row_number() OVER (PARTITION BY c.target ORDER BY c.priority DESC, c.seq) <= r.room
          WHEN c.target = ANY (p_targets) THEN NULL -- it came after the locks: neither claimed nor parked now
          ELSE true
        END AS fits
        FROM candidates AS c LEFT JOIN rooms AS r ON r.target = c.target
      )
      SELECT
        ARRAY(SELECT j.place FROM judged AS j WHERE j.fits ORDER BY j.priority DESC, j.seq LIMIT v_room),
        ARRAY(SELECT j.place FROM judged AS j WHERE NOT j.fits AND NOT j.parked)
      INTO v_chosen, v_blocked;
      RETURN QUERY SELECT * FROM netscript.take(v_chosen, p_worker, p_lease_ms, p_token, v_now);
      GET DIAGNOSTICS v_got = ROW_COUNT;
      v_room := v_room - v_got;
      v_left := v_left - v_got;
      EXIT WHEN cardinality(v_blocked) = 0;
      UPDATE netscript.execution SET parked = true
      WHERE ctid = ANY (ARRAY(
        SELECT e.ctid FROM netscript.execution AS e
        WHERE e.ctid = ANY (v_blocked) AND e.status = 'queued' AND NOT e.parked
        FOR UPDATE SKIP LOCKED
      ));
      GET DIAGNOSTICS v_got = ROW_COUNT;
      EXIT WHEN v_got = 0 OR v_room <= 0;
      v_reach := v_reach * 4;
    END LOOP;
  END LOOP;
END $$;

-- Claim those of `p_ids` that a claim of these lanes could have: queued or due, of a topic that is not paused, within all limits.
CREATE FUNCTION netscript.claim_ids(
  p_queue integer, p_ids text[], p_worker text, p_lease_ms bigint, p_total integer, p_lanes integer[], p_topics text[],
  p_rooms integer[], p_targets text[], p_limits integer[], p_token bigint, p_now bigint
) RETURNS TABLE (
  id text, concept text, target text, topic text, triggered_by text, triggered_at bigint, payload bytea, priority integer,
  attempt integer, max_attempts integer, started_at bigint, correlation_id text, idempotency_key text, traceparent text,
  tracestate text
)
LANGUAGE plpgsql
SET search_path = pg_catalog SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
  v_now bigint := coalesce(p_now, netscript.now_ms());
  v_locked text[];
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  v_locked := netscript.lock_limited(p_queue, p_targets);
  UPDATE netscript.execution SET status = 'queued', due_at = NULL
  WHERE ctid = ANY (ARRAY(
    SELECT e.ctid FROM netscript.execution AS e
    WHERE e.id = ANY (p_ids) AND e.queue + 0 = p_queue AND e.due_at + 0 <= v_now AND e.lease_until IS NULL
    FOR UPDATE SKIP LOCKED
  ));
  RETURN QUERY SELECT * FROM netscript.take(
    ARRAY(
      SELECT n.place
      FROM (
        SELECT
          m.place, m.priority, m.seq, m.lane, m.lane_room,
          row_number() OVER (PARTITION BY m.lane ORDER BY m.priority DESC, m.seq) AS nth
        FROM (
          SELECT
            e.ctid AS place, e.priority, e.seq, w.lane, w.lane_room, e.target, r.room,
            row_number() OVER (PARTITION BY e.target ORDER BY e.priority DESC, e.seq) AS nth_of_target
          FROM netscript.execution AS e
          CROSS JOIN LATERAL (
            SELECT l.lane, l.lane_room FROM unnest(p_lanes, p_topics, p_rooms) AS l (lane, topic, lane_room)
            WHERE l.topic = e.topic ORDER BY l.lane LIMIT 1
          ) AS w
          LEFT JOIN (
            SELECT l.target, l.most - (
              SELECT count(*) FROM netscript.execution AS r
              WHERE r.queue = p_queue AND r.target = l.target AND r.status = 'running'
            ) AS room
            FROM unnest(p_targets, p_limits) AS l (target, most)
            WHERE l.target = ANY (v_locked)
          ) AS r ON r.target = e.target
          WHERE e.id = ANY (p_ids) AND e.queue + 0 = p_queue AND e.due_at IS NULL AND e.lease_until IS NULL
            AND (r.target IS NOT NULL OR NOT e.target = ANY (p_targets))
            AND NOT EXISTS (SELECT FROM netscript.pause AS p WHERE p.queue = p_queue AND p.topic = e.topic)
        ) AS m
        WHERE m.room IS NULL OR m.nth_of_target <= m.room
      ) AS n
      WHERE n.nth <= n.lane_room
      ORDER BY n.priority DESC, n.seq LIMIT p_total
    ),
    p_worker, p_lease_ms, p_token, v_now
  );
END $$;
