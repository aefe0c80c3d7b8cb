-- Our own tables, version 1. `queue` is the number of a queue name: names in one file never see each other.
CREATE TABLE netscript_schema (k INTEGER PRIMARY KEY CHECK (k = 0), version INTEGER NOT NULL, boot_id TEXT NOT NULL);
INSERT INTO netscript_schema (k, version, boot_id) VALUES (0, 1, '');

CREATE TABLE netscript_queue (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

-- One row is one execution, from its enqueue to the end of its live age: the queue and the history at once.
-- `lease_until` is in ms of the host's boot clock, every other time in ms since 1970. `token` is the number of the last
-- claim or settlement. `archive_at` is set with the end of the execution and only then.
CREATE TABLE netscript_execution (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  queue INTEGER NOT NULL,
  id TEXT NOT NULL,
  status TEXT NOT NULL,
  parked INTEGER NOT NULL DEFAULT 0,
  cancel_asked INTEGER NOT NULL DEFAULT 0,
  concept TEXT NOT NULL,
  target TEXT NOT NULL,
  topic TEXT NOT NULL,
  priority INTEGER NOT NULL,
  attempt INTEGER NOT NULL DEFAULT 0,
  max_attempts INTEGER NOT NULL,
  token INTEGER NOT NULL,
  triggered_by TEXT NOT NULL,
  triggered_at INTEGER NOT NULL,
  due_at INTEGER,
  lease_until INTEGER,
  started_at INTEGER,
  completed_at INTEGER,
  archive_at INTEGER,
  delete_at INTEGER,
  exit_code INTEGER,
  peak_memory INTEGER,
  cpu_ms INTEGER,
  worker_id TEXT,
  correlation_id TEXT,
  idempotency_key TEXT,
  traceparent TEXT,
  tracestate TEXT,
  progress TEXT,
  error TEXT,
  payload TEXT NOT NULL,
  result TEXT
);
-- What a claim walks. A row is in it only while it can be handed out, so that history never slows a claim.
CREATE INDEX netscript_claimable ON netscript_execution (queue, topic, priority DESC)
  WHERE status = 'queued' AND parked = 0;
-- Queued rows that their target's limit holds back; taken out of the index above when a claim meets them.
CREATE INDEX netscript_parked ON netscript_execution (queue, target, topic, priority DESC)
  WHERE status = 'queued' AND parked = 1;
CREATE INDEX netscript_due ON netscript_execution (queue, due_at, topic) WHERE status = 'pending';
CREATE INDEX netscript_running ON netscript_execution (queue, target) WHERE status = 'running';
-- `id` leads, so that a join with a batch never begins with the rows of the whole queue.
CREATE UNIQUE INDEX netscript_id ON netscript_execution (id, queue);
-- For the history, newest first (the row number is the last column of every index).
CREATE INDEX netscript_of_target ON netscript_execution (queue, target);
CREATE INDEX netscript_of_topic ON netscript_execution (queue, topic);
CREATE INDEX netscript_finished ON netscript_execution (queue, status) WHERE archive_at IS NOT NULL;
CREATE INDEX netscript_correlated ON netscript_execution (queue, correlation_id) WHERE correlation_id IS NOT NULL;
CREATE INDEX netscript_keyed ON netscript_execution (queue, target, idempotency_key)
  WHERE idempotency_key IS NOT NULL;
CREATE INDEX netscript_ageing ON netscript_execution (queue, archive_at) WHERE archive_at IS NOT NULL;

-- The same columns in the same order: rows move here, and back when somebody runs them again.
CREATE TABLE netscript_archive (
  seq INTEGER PRIMARY KEY,
  queue INTEGER NOT NULL,
  id TEXT NOT NULL,
  status TEXT NOT NULL,
  parked INTEGER NOT NULL,
  cancel_asked INTEGER NOT NULL,
  concept TEXT NOT NULL,
  target TEXT NOT NULL,
  topic TEXT NOT NULL,
  priority INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  max_attempts INTEGER NOT NULL,
  token INTEGER NOT NULL,
  triggered_by TEXT NOT NULL,
  triggered_at INTEGER NOT NULL,
  due_at INTEGER,
  lease_until INTEGER,
  started_at INTEGER,
  completed_at INTEGER,
  archive_at INTEGER,
  delete_at INTEGER,
  exit_code INTEGER,
  peak_memory INTEGER,
  cpu_ms INTEGER,
  worker_id TEXT,
  correlation_id TEXT,
  idempotency_key TEXT,
  traceparent TEXT,
  tracestate TEXT,
  progress TEXT,
  error TEXT,
  payload TEXT NOT NULL,
  result TEXT
);
CREATE UNIQUE INDEX netscript_archive_id ON netscript_archive (id, queue);
CREATE INDEX netscript_archive_of_target ON netscript_archive (queue, target);
CREATE INDEX netscript_archive_of_topic ON netscript_archive (queue, topic);
CREATE INDEX netscript_archive_finished ON netscript_archive (queue, status);
CREATE INDEX netscript_archive_correlated ON netscript_archive (queue, correlation_id)
  WHERE correlation_id IS NOT NULL;
CREATE INDEX netscript_archive_keyed ON netscript_archive (queue, target, idempotency_key)
  WHERE idempotency_key IS NOT NULL;
CREATE INDEX netscript_archive_ageing ON netscript_archive (queue, delete_at);

-- Attempts that did not succeed. The one that did is told by the execution's own row, so that it costs nothing more.
CREATE TABLE netscript_attempt (
  number INTEGER PRIMARY KEY,
  execution INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  worker_id TEXT,
  started_at INTEGER,
  completed_at INTEGER NOT NULL,
  cause TEXT,
  error TEXT,
  exit_code INTEGER,
  peak_memory INTEGER,
  cpu_ms INTEGER
);
CREATE INDEX netscript_attempt_of ON netscript_attempt (execution);

CREATE TABLE netscript_line (
  execution INTEGER NOT NULL,
  position INTEGER NOT NULL,
  time INTEGER NOT NULL,
  stream TEXT NOT NULL,
  level TEXT NOT NULL,
  line TEXT NOT NULL,
  PRIMARY KEY (execution, position)
) WITHOUT ROWID;

CREATE TABLE netscript_pause (queue INTEGER NOT NULL, topic TEXT NOT NULL, PRIMARY KEY (queue, topic)) WITHOUT ROWID;

CREATE TABLE netscript_worker (
  queue INTEGER NOT NULL,
  id TEXT NOT NULL,
  last_seen_at INTEGER NOT NULL,
  info TEXT NOT NULL,
  PRIMARY KEY (queue, id)
) WITHOUT ROWID;

-- What came from a queue and was not in our format.
CREATE TABLE netscript_garbage (
  id TEXT PRIMARY KEY,
  queue INTEGER NOT NULL,
  failed_at INTEGER NOT NULL,
  reason TEXT NOT NULL,
  raw BLOB NOT NULL
);
