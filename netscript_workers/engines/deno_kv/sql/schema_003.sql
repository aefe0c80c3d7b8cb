-- Our own tables, version 3: indexes for questions that walked too far at a million records.
-- Dead letters by the time of their failure; the rest of the rows is not in it.
CREATE INDEX IF NOT EXISTS netscript_dead ON netscript_execution (queue, completed_at) WHERE status IN ('failed', 'timeout');
CREATE INDEX IF NOT EXISTS netscript_archive_dead ON netscript_archive (queue, completed_at) WHERE status IN ('failed', 'timeout');
-- A target's failures, where it has many successes.
CREATE INDEX IF NOT EXISTS netscript_archive_of_target_status ON netscript_archive (queue, target, status);
UPDATE netscript_schema SET version = 3;
