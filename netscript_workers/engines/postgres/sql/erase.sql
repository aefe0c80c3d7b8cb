-- Everything of one queue name, and the name. Whoever has the queue open still must open it anew.
WITH named AS (
  SELECT seq FROM netscript.execution WHERE queue = $1
  UNION ALL
  SELECT seq FROM netscript.finished WHERE queue = $1
),
attempts AS (DELETE FROM netscript.attempt WHERE execution IN (SELECT seq FROM named)),
lines AS (DELETE FROM netscript.line WHERE execution IN (SELECT seq FROM named)),
executions AS (DELETE FROM netscript.execution WHERE queue = $1),
finished AS (DELETE FROM netscript.finished WHERE queue = $1),
letters AS (DELETE FROM netscript.dead_letters WHERE queue = $1),
pauses AS (DELETE FROM netscript.pause WHERE queue = $1),
workers AS (DELETE FROM netscript.worker WHERE queue = $1),
schedules AS (DELETE FROM netscript.schedule WHERE queue = $1),
names AS (DELETE FROM netscript.queue WHERE number = $1)
DELETE FROM netscript.garbage WHERE queue = $1
