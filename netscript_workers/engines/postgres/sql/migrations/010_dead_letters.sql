-- How many dead letters each queue has, without reading them: the sum of the changes, which a sweep folds into one row now and then.
-- Changes are only ever added, so that no two settlements wait for each other.
CREATE TABLE netscript.dead_letters (queue integer NOT NULL, change bigint NOT NULL);
CREATE INDEX dead_letters_of ON netscript.dead_letters (queue) INCLUDE (change);

CREATE FUNCTION netscript.note_death() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
BEGIN
  INSERT INTO netscript.dead_letters (queue, change) VALUES (NEW.queue, 1);
  RETURN NULL;
END $$;

-- A queue that is being erased is not counted any more.
CREATE FUNCTION netscript.note_gone() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
BEGIN
  INSERT INTO netscript.dead_letters (queue, change)
  SELECT g.queue, -count(*) FROM gone AS g
  WHERE g.status IN ('failed', 'timeout') AND EXISTS (SELECT FROM netscript.queue AS q WHERE q.number = g.queue)
  GROUP BY g.queue;
  RETURN NULL;
END $$;

-- Nearly all complete, and for those the condition is all that it costs.
CREATE TRIGGER note_death AFTER INSERT ON netscript.finished
  FOR EACH ROW WHEN (NEW.status IN ('failed', 'timeout')) EXECUTE FUNCTION netscript.note_death();
CREATE TRIGGER note_gone AFTER DELETE ON netscript.finished
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION netscript.note_gone();

INSERT INTO netscript.dead_letters (queue, change)
SELECT queue, count(*) FROM netscript.finished WHERE status IN ('failed', 'timeout') GROUP BY queue;

CREATE OR REPLACE FUNCTION netscript.count_dead(p_queue integer) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
BEGIN
  RETURN (SELECT coalesce(sum(change), 0) FROM netscript.dead_letters WHERE queue = p_queue);
END $$;

-- Fold the changes of a queue, as many as one sweep should, once they are worth it.
CREATE FUNCTION netscript.fold_dead_letters(p_queue integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
  v_places tid[] := ARRAY(
    SELECT d.ctid FROM netscript.dead_letters AS d WHERE d.queue = p_queue LIMIT 20000 FOR UPDATE SKIP LOCKED
  );
BEGIN
  IF cardinality(v_places) >= 50 THEN
    WITH folded AS (DELETE FROM netscript.dead_letters WHERE ctid = ANY (v_places) RETURNING change)
    INSERT INTO netscript.dead_letters (queue, change) SELECT p_queue, sum(change) FROM folded;
  END IF;
END $$;
