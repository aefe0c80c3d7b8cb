-- All that a queue's name has in the file.
DELETE FROM netscript_attempt WHERE execution IN (
  SELECT seq FROM netscript_execution WHERE queue = :queue UNION ALL SELECT seq FROM netscript_archive WHERE queue = :queue
);
DELETE FROM netscript_line WHERE execution IN (
  SELECT seq FROM netscript_execution WHERE queue = :queue UNION ALL SELECT seq FROM netscript_archive WHERE queue = :queue
);
DELETE FROM netscript_execution WHERE queue = :queue;
DELETE FROM netscript_archive WHERE queue = :queue;
DELETE FROM netscript_undelivered WHERE queue = :queue;
DELETE FROM netscript_garbage WHERE queue = :queue;
DELETE FROM netscript_restored WHERE queue = :queue;
DELETE FROM netscript_pause WHERE queue = :queue;
DELETE FROM netscript_worker WHERE queue = :queue;
DELETE FROM netscript_schedule WHERE queue = :queue;
DELETE FROM netscript_queue WHERE number = :queue;
