-- Our own tables, version 4: a target in a topic that it was never in is answered without a walk, whatever its status.
-- A target alone is searched by leaping over its topics, so this takes the place of the index of targets.
DROP INDEX IF EXISTS netscript_of_target;
CREATE INDEX IF NOT EXISTS netscript_of_pair ON netscript_execution (queue, target, topic);
DROP INDEX IF EXISTS netscript_archive_of_target;
CREATE INDEX IF NOT EXISTS netscript_archive_of_pair ON netscript_archive (queue, target, topic);
-- Nearly all complete, and what does is not in these.
CREATE INDEX IF NOT EXISTS netscript_otherwise ON netscript_execution (queue, target, topic, status)
  WHERE status IN ('failed', 'timeout', 'cancelled');
CREATE INDEX IF NOT EXISTS netscript_archive_otherwise ON netscript_archive (queue, target, topic, status)
  WHERE status IN ('failed', 'timeout', 'cancelled');
CREATE INDEX IF NOT EXISTS netscript_otherwise_of_topic ON netscript_execution (queue, topic, status)
  WHERE status IN ('failed', 'timeout', 'cancelled');
CREATE INDEX IF NOT EXISTS netscript_archive_otherwise_of_topic ON netscript_archive (queue, topic, status)
  WHERE status IN ('failed', 'timeout', 'cancelled');
UPDATE netscript_schema SET version = 4;
