-- Renew the leases of claims; returns the places (from 1) of those that are lost. A row that is being settled just now is passed
-- over: whoever renews in another order than it was settled in would wait for ever.
CREATE FUNCTION netscript.extend(p_queue integer, p_ids text[], p_tokens bigint[], p_lease_ms bigint) RETURNS bigint[]
LANGUAGE plpgsql
SET search_path = pg_catalog SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  UPDATE netscript.execution SET lease_until = netscript.now_ms() + p_lease_ms
  WHERE ctid = ANY (ARRAY(
    SELECT e.ctid
    FROM unnest(p_ids, p_tokens) AS c (id, token)
    JOIN netscript.execution AS e ON e.id = c.id AND e.queue + 0 = p_queue AND e.token = c.token AND e.lease_until IS NOT NULL
    FOR UPDATE OF e SKIP LOCKED
  ));
  RETURN ARRAY(
    SELECT c.place
    FROM unnest(p_ids, p_tokens) WITH ORDINALITY AS c (id, token, place)
    WHERE NOT EXISTS (
      SELECT FROM netscript.execution AS e
      WHERE e.id = c.id AND e.queue + 0 = p_queue AND e.token = c.token AND e.lease_until IS NOT NULL
    )
  );
END $$;

-- Take over runs whose lease has run out, the longest first; `p_ids` and `p_tokens` are the caller's own, which are left alone.
CREATE FUNCTION netscript.take_expired(
  p_queue integer, p_lease_ms bigint, p_limit integer, p_ids text[], p_tokens bigint[], p_token bigint
) RETURNS SETOF netscript.execution
LANGUAGE plpgsql
SET search_path = pg_catalog SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
  v_now bigint := netscript.now_ms();
  v_places tid[];
BEGIN
  v_places := ARRAY(
    SELECT e.ctid FROM netscript.execution AS e
    WHERE e.queue = p_queue AND e.status = 'running' AND e.lease_until < v_now
      AND NOT EXISTS (SELECT FROM unnest(p_ids, p_tokens) AS own (id, token) WHERE own.id = e.id AND own.token = e.token)
    ORDER BY e.lease_until LIMIT p_limit
    FOR UPDATE SKIP LOCKED
  );
  IF cardinality(v_places) = 0 THEN
    RETURN;
  END IF;
  RETURN QUERY
  WITH before AS MATERIALIZED (
    SELECT e.ctid AS place, e.lease_until FROM netscript.execution AS e WHERE e.ctid = ANY (v_places)
  ),
  taken AS (
    UPDATE netscript.execution AS e SET token = p_token, lease_until = v_now + p_lease_ms
    FROM before WHERE e.ctid = before.place
    RETURNING before.lease_until AS ran_out, e AS row
  )
  SELECT (t.row).* FROM taken AS t ORDER BY t.ran_out;
END $$;

-- Undo claims whose caller never heard of them.
CREATE FUNCTION netscript.give_back(p_queue integer, p_tokens bigint[], p_token bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog SET jit = off SET enable_seqscan = off
AS $$
BEGIN
  UPDATE netscript.execution AS e
  SET status = 'queued', attempt = e.attempt - 1, token = p_token, lease_until = NULL, started_at = NULL, worker_id = NULL
  WHERE e.queue = p_queue AND e.status = 'running' AND e.token = ANY (p_tokens);
  IF FOUND THEN
    PERFORM pg_notify(format('netscript_%s_work', p_queue), '');
  END IF;
END $$;

-- Progress (JSON text, or NULL) and lines ([[id, time, stream, level, line, token], …]) of runs, in the order of their ids; what comes from a lost claim is dropped.
CREATE FUNCTION netscript.report(
  p_queue integer, p_ids text[], p_tokens bigint[], p_progress text[], p_lines json, p_keep integer
) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET lock_timeout = '8s'
AS $$
DECLARE
  v_live text[];
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  WITH told AS (
    UPDATE netscript.execution AS e SET progress = coalesce(c.progress, e.progress)
    FROM unnest(p_ids, p_tokens, p_progress) AS c (id, token, progress)
    WHERE e.id = c.id AND e.queue + 0 = p_queue AND e.token = c.token AND e.lease_until IS NOT NULL
    RETURNING e.id
  )
  SELECT coalesce(array_agg(id), '{}') INTO v_live FROM told;
  IF p_lines IS NOT NULL THEN
    PERFORM netscript.add_lines(p_queue, k.lines, v_live, p_keep)
    FROM (
      SELECT json_agg(l.line ORDER BY l.place) AS lines
      FROM json_array_elements(p_lines) WITH ORDINALITY AS l (line, place)
      JOIN netscript.execution AS e
        ON e.id = l.line ->> 0 AND e.queue + 0 = p_queue AND e.token = (l.line ->> 5)::bigint AND e.lease_until IS NOT NULL
    ) AS k
    WHERE k.lines IS NOT NULL;
  END IF;
END $$;
