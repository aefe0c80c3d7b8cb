-- Whether a claim for these topics may find something, when the next pending row is due, and whether Deno's own queue holds any.
SELECT json_array(
  EXISTS (
    SELECT 1 FROM json_each(:topics) AS t
    WHERE EXISTS (
        SELECT 1 FROM netscript_execution AS e INDEXED BY netscript_claimable
        WHERE e.queue = :queue AND e.topic = t.value AND e.status = 'queued' AND e.parked = 0
      )
      AND NOT EXISTS (SELECT 1 FROM netscript_pause AS p WHERE p.queue = :queue AND p.topic = t.value)
  ),
  (SELECT min(due_at) FROM netscript_execution INDEXED BY netscript_due WHERE queue = :queue AND status = 'pending'),
  EXISTS (SELECT 1 FROM queue)
)
