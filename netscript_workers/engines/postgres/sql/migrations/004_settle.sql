-- A row looked for by its id is told apart by `queue + 0`, and a running one by its lease: no index serves such conditions, so that
-- a plan made while the tables were empty can only look ids up, one by one.

-- Put lines ([[id, time, stream, level, line], …]) behind those of executions, and keep the last ones only.
CREATE FUNCTION netscript.add_lines(p_queue integer, p_lines json, p_ids text[], p_keep integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog SET jit = off
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
  v_names text[];
  v_seqs bigint[];
BEGIN
  SELECT array_agg(k.id), array_agg(k.seq) INTO v_names, v_seqs
  FROM (
    SELECT e.id, e.seq FROM netscript.execution AS e WHERE e.id = ANY (p_ids) AND e.queue + 0 = p_queue
    UNION ALL
    SELECT f.id, f.seq FROM netscript.finished AS f WHERE f.id = ANY (p_ids) AND f.queue + 0 = p_queue
  ) AS k;
  INSERT INTO netscript.line (execution, position, time, stream, level, line)
  SELECT
    k.seq,
    coalesce((SELECT max(o.position) FROM netscript.line AS o WHERE o.execution = k.seq), 0)
      + row_number() OVER (PARTITION BY k.seq ORDER BY g.place),
    (g.line ->> 1)::bigint, g.line ->> 2, g.line ->> 3, g.line ->> 4
  FROM json_array_elements(p_lines) WITH ORDINALITY AS g (line, place)
  JOIN unnest(v_names, v_seqs) AS k (id, seq) ON k.id = g.line ->> 0;
  DELETE FROM netscript.line AS l
  USING (
    SELECT k.seq, (SELECT max(o.position) FROM netscript.line AS o WHERE o.execution = k.seq) AS last
    FROM unnest(v_seqs) AS k (seq)
  ) AS s
  WHERE l.execution = s.seq AND l.position <= s.last - p_keep;
END $$;

-- Move waiting rows that end without a run to what has ended.
CREATE FUNCTION netscript.end_waiting(
  p_queue integer, p_ids text[], p_mark bigint, p_now bigint, p_keep bigint, p_archive bigint
) RETURNS void
LANGUAGE sql SET search_path = pg_catalog SET enable_seqscan = off
AS $$
  WITH gone AS (
    DELETE FROM netscript.execution AS e
    WHERE e.id = ANY (p_ids) AND e.queue + 0 = p_queue AND e.lease_until IS NULL
    RETURNING e.*
  )
  INSERT INTO netscript.finished (
    seq, token, triggered_at, started_at, completed_at, archive_at, delete_at, exit_code, queue, priority, attempt,
    max_attempts, status, id, concept, target, topic, triggered_by, worker_id, correlation_id, idempotency_key,
    traceparent, tracestate, progress, error, payload, result
  )
  SELECT
    seq, p_mark, triggered_at, started_at, p_now, p_now + p_keep, p_now + p_keep + p_archive, exit_code, queue, priority,
    attempt, max_attempts, 'cancelled', id, concept, target, topic, triggered_by, worker_id, correlation_id,
    idempotency_key, traceparent, tracestate, progress, error, payload, result
  FROM gone
$$;

-- Those of `p_ids` whose last settlement carries its mark.
CREATE FUNCTION netscript.marked(p_queue integer, p_ids text[], p_marks bigint[]) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
BEGIN
  RETURN ARRAY(
    SELECT s.id FROM unnest(p_ids, p_marks) AS s (id, mark)
    WHERE EXISTS (SELECT FROM netscript.finished AS f WHERE f.id = s.id AND f.queue + 0 = p_queue AND f.token = s.mark)
      OR EXISTS (SELECT FROM netscript.execution AS e WHERE e.id = s.id AND e.queue + 0 = p_queue AND e.mark = s.mark)
  );
END $$;

-- End attempts: those that are over leave for the finished ones, the others go back. `p_marks` are what the settled rows carry
-- from then on: a settlement repeated with its mark (its answer was lost; `p_repeated`) finds that it was applied.
-- `p_records` [[id, attempt, worker, started, completed, cause, error, exit, memory, cpu], …] and `p_lines` may be NULL.
-- Returns NULL when all were applied, else the ids of those that were.
CREATE FUNCTION netscript.settle(
  p_queue integer, p_ids text[], p_tokens bigint[], p_marks bigint[], p_statuses text[], p_attempts integer[],
  p_max_attempts integer[], p_delays bigint[], p_started bigint[], p_completed bigint[], p_keep bigint[],
  p_archive bigint[], p_errors text[], p_results bytea[], p_exits bigint[], p_memory bigint[], p_cpu bigint[],
  p_returned boolean, p_repeated boolean, p_records json, p_lines json, p_lines_kept integer, p_cancelled_keep bigint,
  p_cancelled_archive bigint, p_now bigint
) RETURNS text[]
LANGUAGE plpgsql
SET search_path = pg_catalog SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET lock_timeout = '8s'
AS $$
DECLARE
  v_now bigint := coalesce(p_now, netscript.now_ms());
  v_before text[] := '{}';
  v_done text[];
  v_back bigint := 0;
  v_count bigint;
  v_halted text[];
BEGIN
  IF p_repeated THEN
    v_before := netscript.marked(p_queue, p_ids, p_marks);
  END IF;
  WITH gone AS (
    DELETE FROM netscript.execution AS e
    USING unnest(
      p_ids, p_tokens, p_marks, p_statuses, p_attempts, p_max_attempts, p_started, p_completed, p_keep, p_archive,
      p_errors, p_results, p_exits, p_memory, p_cpu
    ) AS s (
      id, token, mark, status, attempt, max_attempts, started_at, completed_at, keep, archive, error, result, exit_code,
      peak_memory, cpu_ms
    )
    WHERE e.id = s.id AND e.queue + 0 = p_queue AND e.token = s.token AND e.lease_until IS NOT NULL
      AND s.status <> 'pending' AND s.status <> 'queued'
    RETURNING
      e.seq, s.mark, e.triggered_at, coalesce(s.started_at, e.started_at) AS started_at,
      coalesce(s.completed_at, v_now) AS completed_at, v_now + s.keep AS archive_at,
      v_now + s.keep + s.archive AS delete_at, s.exit_code, s.peak_memory, s.cpu_ms, e.priority, s.attempt,
      s.max_attempts, s.status, e.id, e.concept, e.target, e.topic, e.triggered_by, e.worker_id, e.correlation_id,
      e.idempotency_key, CASE WHEN e.idempotency_key IS NOT NULL THEN v_now END AS keyed_at, e.traceparent, e.tracestate,
      e.progress, s.error, e.payload, s.result
  )
  INSERT INTO netscript.finished (
    seq, token, triggered_at, started_at, completed_at, archive_at, delete_at, exit_code, peak_memory, cpu_ms, queue,
    priority, attempt, max_attempts, status, id, concept, target, topic, triggered_by, worker_id, correlation_id,
    idempotency_key, keyed_at, traceparent, tracestate, progress, error, payload, result
  )
  SELECT
    seq, mark, triggered_at, started_at, completed_at, archive_at, delete_at, exit_code, peak_memory, cpu_ms, p_queue,
    priority, attempt, max_attempts, status, id, concept, target, topic, triggered_by, worker_id, correlation_id,
    idempotency_key, keyed_at, traceparent, tracestate, progress, error, payload, result
  FROM gone
  ON CONFLICT DO NOTHING; -- a twin of its id ended before it: the record that stands is kept
  GET DIAGNOSTICS v_count = ROW_COUNT;
  IF p_returned THEN
    WITH back AS (
      UPDATE netscript.execution AS e
      SET status = s.status, token = s.mark, mark = s.mark, lease_until = NULL, attempt = s.attempt,
        max_attempts = s.max_attempts, due_at = CASE WHEN s.status = 'pending' THEN v_now + s.delay END,
        started_at = NULL, worker_id = NULL, error = s.error, result = s.result, exit_code = s.exit_code
      FROM unnest(
        p_ids, p_tokens, p_marks, p_statuses, p_attempts, p_max_attempts, p_delays, p_errors, p_results, p_exits
      ) AS s (id, token, mark, status, attempt, max_attempts, delay, error, result, exit_code)
      WHERE e.id = s.id AND e.queue + 0 = p_queue AND e.token = s.token AND e.lease_until IS NOT NULL
        AND (s.status = 'pending' OR s.status = 'queued')
      RETURNING e.id, e.cancel_asked
    )
    SELECT count(*), array_agg(id) FILTER (WHERE cancel_asked) INTO v_back, v_halted FROM back;
  END IF;
  IF v_count + v_back < cardinality(p_ids) OR p_records IS NOT NULL OR p_lines IS NOT NULL THEN
    v_done := netscript.marked(p_queue, p_ids, p_marks);
  END IF;
  IF p_records IS NOT NULL THEN
    INSERT INTO netscript.attempt (
      execution, attempt, worker_id, started_at, completed_at, cause, error, exit_code, peak_memory, cpu_ms
    )
    SELECT
      coalesce(
        (SELECT f.seq FROM netscript.finished AS f WHERE f.id = r.row ->> 0 AND f.queue + 0 = p_queue),
        (SELECT e.seq FROM netscript.execution AS e WHERE e.id = r.row ->> 0 AND e.queue + 0 = p_queue)
      ),
      (r.row ->> 1)::integer, r.row ->> 2, (r.row ->> 3)::bigint, (r.row ->> 4)::bigint, r.row ->> 5, r.row ->> 6,
      (r.row ->> 7)::bigint, (r.row ->> 8)::bigint, (r.row ->> 9)::bigint
    FROM json_array_elements(p_records) WITH ORDINALITY AS r (row, place)
    WHERE r.row ->> 0 = ANY (v_done) AND NOT r.row ->> 0 = ANY (v_before)
    ORDER BY r.place;
  END IF;
  IF p_lines IS NOT NULL THEN
    PERFORM netscript.add_lines(
      p_queue, p_lines, ARRAY(SELECT d.id FROM unnest(v_done) AS d (id) WHERE NOT d.id = ANY (v_before)), p_lines_kept
    );
  END IF;
  IF v_halted IS NOT NULL THEN
    -- Runs that somebody asked to cancel do not go back into the queue. Their mark stays, for a repeated settlement.
    PERFORM netscript.end_waiting(p_queue, ARRAY[e.id], e.mark, v_now, p_cancelled_keep, p_cancelled_archive)
    FROM netscript.execution AS e WHERE e.id = ANY (v_halted) AND e.queue + 0 = p_queue;
  END IF;
  -- Whoever waits for an end holds this lock, shared: where it is free nobody does, and no listener need be woken.
  IF NOT pg_try_advisory_xact_lock(hashtextextended(concat_ws(':', 'netscript ends', p_queue), 0)) THEN
    PERFORM pg_notify(format('netscript_%s_end', p_queue), '');
  END IF;
  IF v_back > 0 OR EXISTS (
    SELECT FROM netscript.execution AS e WHERE e.queue = p_queue AND e.status = 'queued' AND e.parked
  ) THEN
    PERFORM pg_notify(format('netscript_%s_work', p_queue), '');
  END IF;
  RETURN CASE WHEN v_count + v_back < cardinality(p_ids) THEN v_done END;
END $$;
