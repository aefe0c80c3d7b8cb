-- Pending rows that have become due can be claimed from now on, the longest due first.
UPDATE netscript_execution
SET status = 'queued', due_at = NULL
WHERE seq IN (
  SELECT seq
  FROM netscript_execution INDEXED BY netscript_due
  WHERE queue = :queue AND status = 'pending' AND due_at <= :now
  ORDER BY due_at
  LIMIT :limit
)
