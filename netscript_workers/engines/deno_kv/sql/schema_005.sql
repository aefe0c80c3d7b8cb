-- Our own tables, version 5: how far the schedules are. `last` is the latest tick that was enqueued, or when the schedule was
-- first seen (ms since 1970); it only moves forward.
CREATE TABLE IF NOT EXISTS netscript_schedule (
  queue INTEGER NOT NULL,
  target TEXT NOT NULL,
  last INTEGER NOT NULL,
  PRIMARY KEY (queue, target)
) WITHOUT ROWID;
UPDATE netscript_schema SET version = 5;
