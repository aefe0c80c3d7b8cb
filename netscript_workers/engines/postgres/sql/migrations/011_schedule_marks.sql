-- `mark` says what a schedule is, so that one which was changed while nothing ran begins anew; empty where nobody has said so yet.
ALTER TABLE netscript.schedule ADD COLUMN mark text NOT NULL DEFAULT '';

-- Tell how far schedules are, in the order given; one not yet known begins now, and so does one that is known by another mark. Written
-- in the order of their names, so that no two wait for each other. The one without marks stays for workers of an older version.
CREATE FUNCTION netscript.standing(p_queue integer, p_targets text[], p_marks text[], p_now bigint)
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
    SELECT CASE WHEN g.mark IN ('', s.mark) THEN s.last END
    FROM unnest(p_targets, p_marks) WITH ORDINALITY AS g (target, mark, place)
    LEFT JOIN netscript.schedule AS s ON s.queue + 0 = p_queue AND s.target = g.target
    ORDER BY g.place
  );
  IF array_position(v_last, NULL) IS NOT NULL THEN
    INSERT INTO netscript.schedule AS s (queue, target, last, mark)
    SELECT DISTINCT ON (target) p_queue, g.target COLLATE "C" AS target, v_now, g.mark
    FROM unnest(p_targets, p_marks, v_last) AS g (target, mark, last)
    WHERE g.last IS NULL
    ORDER BY target
    ON CONFLICT (target, queue) DO UPDATE
    SET last = CASE WHEN s.mark = '' THEN s.last ELSE greatest(s.last, excluded.last) END, mark = excluded.mark
    WHERE excluded.mark NOT IN ('', s.mark);
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
