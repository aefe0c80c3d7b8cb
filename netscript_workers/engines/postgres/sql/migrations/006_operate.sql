-- Cancel: what waits ends at once, what runs is asked to stop. Returns what each was met as.
CREATE FUNCTION netscript.cancel(
  p_queue integer, p_ids text[], p_mark bigint, p_keep bigint, p_archive bigint, p_now bigint
) RETURNS TABLE (id text, before text)
LANGUAGE plpgsql SET search_path = pg_catalog SET jit = off SET enable_seqscan = off SET lock_timeout = '8s'
AS $$
#variable_conflict use_column
DECLARE
  v_now bigint := coalesce(p_now, netscript.now_ms());
  v_names text[];
  v_statuses text[];
BEGIN
  SELECT array_agg(l.id), array_agg(l.status) INTO v_names, v_statuses
  FROM (
    SELECT e.id, e.status FROM netscript.execution AS e
    WHERE e.id = ANY (p_ids) AND e.queue + 0 = p_queue
    ORDER BY e.id
    FOR UPDATE
  ) AS l;
  RETURN QUERY
  SELECT l.id, l.status FROM unnest(v_names, v_statuses) AS l (id, status)
  UNION ALL
  SELECT f.id, f.status FROM netscript.finished AS f
  WHERE f.id = ANY (p_ids) AND f.queue + 0 = p_queue AND NOT coalesce(f.id = ANY (v_names), false);
  UPDATE netscript.execution AS e SET cancel_asked = true
  WHERE e.id = ANY (v_names) AND e.queue + 0 = p_queue AND e.lease_until IS NOT NULL AND NOT e.cancel_asked;
  PERFORM netscript.end_waiting(p_queue, v_names, p_mark, v_now, p_keep, p_archive);
  PERFORM pg_notify(format('netscript_%s_cancel', p_queue), '');
  PERFORM pg_notify(format('netscript_%s_end', p_queue), '');
END $$;

-- Put finished executions back, attempts anew; returns the ids of those that were.
CREATE FUNCTION netscript.requeue(p_queue integer, p_ids text[], p_token bigint) RETURNS SETOF text
LANGUAGE plpgsql SET search_path = pg_catalog SET jit = off SET enable_seqscan = off SET lock_timeout = '8s'
AS $$
BEGIN
  RETURN QUERY
  WITH gone AS (
    DELETE FROM netscript.finished AS f WHERE f.id = ANY (p_ids) AND f.queue + 0 = p_queue RETURNING f.*
  ),
  kept AS ( -- the row of a success told of its attempt; now a row of its own does
    INSERT INTO netscript.attempt (execution, attempt, worker_id, started_at, completed_at, exit_code, peak_memory, cpu_ms)
    SELECT seq, attempt, worker_id, started_at, completed_at, exit_code, peak_memory, cpu_ms
    FROM gone WHERE status = 'completed'
  )
  INSERT INTO netscript.execution AS e (
    seq, token, triggered_at, queue, priority, max_attempts, status, id, concept, target, topic, triggered_by,
    correlation_id, idempotency_key, traceparent, tracestate, payload
  )
  SELECT
    seq, p_token, triggered_at, queue, priority, max_attempts, 'queued', id, concept, target, topic, 'retry',
    correlation_id, idempotency_key, traceparent, tracestate, payload
  FROM gone
  RETURNING e.id;
  IF FOUND THEN
    PERFORM pg_notify(format('netscript_%s_work', p_queue), '');
  END IF;
END $$;

-- Delete finished executions with all that belongs to them; returns how many there were.
CREATE FUNCTION netscript.remove(p_queue integer, p_ids text[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog SET jit = off SET enable_seqscan = off
AS $$
DECLARE
  v_seqs bigint[];
BEGIN
  WITH gone AS (
    DELETE FROM netscript.finished AS f WHERE f.id = ANY (p_ids) AND f.queue + 0 = p_queue RETURNING f.seq
  )
  SELECT coalesce(array_agg(seq), '{}') INTO v_seqs FROM gone;
  DELETE FROM netscript.attempt WHERE execution = ANY (v_seqs);
  DELETE FROM netscript.line WHERE execution = ANY (v_seqs);
  RETURN cardinality(v_seqs);
END $$;

-- Delete up to `p_limit` archived rows past their age there; returns how many.
CREATE FUNCTION netscript.drop_due(p_queue integer, p_limit integer, p_now bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
  v_stale text[] := ARRAY(
    SELECT f.id FROM netscript.finished AS f
    WHERE f.queue = p_queue AND f.archived AND f.delete_at <= coalesce(p_now, netscript.now_ms())
    ORDER BY f.delete_at LIMIT p_limit
    FOR UPDATE SKIP LOCKED
  );
BEGIN
  RETURN CASE WHEN cardinality(v_stale) > 0 THEN netscript.remove(p_queue, v_stale) ELSE 0 END;
END $$;

-- Move up to `p_limit` finished rows past their live age to the archive, and delete as many past the archive's.
CREATE FUNCTION netscript.sweep(p_queue integer, p_limit integer, p_now bigint)
RETURNS TABLE (archived bigint, deleted bigint)
LANGUAGE plpgsql SET search_path = pg_catalog SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
  v_now bigint := coalesce(p_now, netscript.now_ms());
BEGIN
  deleted := netscript.drop_due(p_queue, p_limit, v_now);
  UPDATE netscript.finished SET archived = true
  WHERE ctid = ANY (ARRAY(
    SELECT f.ctid FROM netscript.finished AS f
    WHERE f.queue = p_queue AND NOT f.archived AND f.archive_at <= v_now
    ORDER BY f.archive_at LIMIT p_limit
    FOR UPDATE SKIP LOCKED
  ));
  GET DIAGNOSTICS archived = ROW_COUNT;
  RETURN NEXT;
END $$;
