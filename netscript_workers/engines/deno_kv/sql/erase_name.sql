-- Only a name that nothing is kept under any more.
DELETE FROM netscript_queue
WHERE number = :queue
  AND NOT EXISTS (SELECT 1 FROM netscript_execution WHERE queue = :queue)
  AND NOT EXISTS (SELECT 1 FROM netscript_archive WHERE queue = :queue)
  AND NOT EXISTS (SELECT 1 FROM netscript_garbage WHERE queue = :queue)
