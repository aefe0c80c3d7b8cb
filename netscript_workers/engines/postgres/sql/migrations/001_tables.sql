-- The tables, version 1. `queue` is the number of a queue name: names in one database never see each other.
-- All times are ms since 1970 by this server's clock. Text is compared by its bytes, which is fastest and the same everywhere.
CREATE FUNCTION netscript.now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

CREATE TABLE netscript.queue (
  number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE
);

CREATE SEQUENCE netscript.arrival;

-- What waits or runs. A row leaves when it ends, so that neither claims nor vacuum ever meet the history.
-- `seq` orders by arrival. `token` is that of the live claim, `mark` that of the last settlement.
CREATE TABLE netscript.execution (
  seq bigint NOT NULL DEFAULT nextval('netscript.arrival'),
  token bigint NOT NULL,
  mark bigint,
  triggered_at bigint NOT NULL,
  due_at bigint,
  lease_until bigint,
  started_at bigint,
  exit_code bigint,
  queue integer NOT NULL,
  priority integer NOT NULL,
  attempt integer NOT NULL DEFAULT 0,
  max_attempts integer NOT NULL,
  parked boolean NOT NULL DEFAULT false,
  cancel_asked boolean NOT NULL DEFAULT false,
  status text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  concept text COLLATE "C" NOT NULL,
  target text COLLATE "C" NOT NULL,
  topic text COLLATE "C" NOT NULL,
  triggered_by text COLLATE "C" NOT NULL,
  worker_id text COLLATE "C",
  correlation_id text COLLATE "C",
  idempotency_key text COLLATE "C",
  traceparent text COLLATE "C",
  tracestate text COLLATE "C",
  progress text COLLATE "C",
  error text COLLATE "C",
  payload bytea NOT NULL,
  result bytea,
  PRIMARY KEY (id, queue)
) WITH (
  fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 2000,
  autovacuum_analyze_scale_factor = 0.2, autovacuum_vacuum_cost_delay = 1
);
-- What a claim walks. A row is in it only while it can be handed out.
CREATE INDEX execution_claimable ON netscript.execution (queue, topic, priority DESC, seq)
  WHERE status = 'queued' AND NOT parked;
-- Queued rows that their target's limit holds back; taken out of the index above when a claim meets them.
CREATE INDEX execution_parked ON netscript.execution (queue, topic, target, priority DESC, seq)
  WHERE status = 'queued' AND parked;
CREATE INDEX execution_due ON netscript.execution (queue, due_at) WHERE status = 'pending';
CREATE INDEX execution_running ON netscript.execution (queue, target) WHERE status = 'running';
-- For the history and for limits. A claimed row leaves it; a renewed lease touches no index at all.
CREATE INDEX execution_waiting ON netscript.execution (queue, target, topic, seq) WHERE status <> 'running';
CREATE INDEX execution_correlated ON netscript.execution (queue, correlation_id, seq) WHERE correlation_id IS NOT NULL;
CREATE INDEX execution_keyed ON netscript.execution (queue, target, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- What has ended: live until `archive_at`, then archived until `delete_at`. Written once for each end, in no index before.
-- `completed_at` is told by the worker's host; where there is an idempotency key, `keyed_at` says the same by this server's clock.
CREATE TABLE netscript.finished (
  seq bigint NOT NULL,
  token bigint NOT NULL,
  triggered_at bigint NOT NULL,
  started_at bigint,
  completed_at bigint NOT NULL,
  keyed_at bigint,
  archive_at bigint NOT NULL,
  delete_at bigint NOT NULL,
  exit_code bigint,
  peak_memory bigint,
  cpu_ms bigint,
  queue integer NOT NULL,
  priority integer NOT NULL,
  attempt integer NOT NULL,
  max_attempts integer NOT NULL,
  archived boolean NOT NULL DEFAULT false,
  status text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  concept text COLLATE "C" NOT NULL,
  target text COLLATE "C" NOT NULL,
  topic text COLLATE "C" NOT NULL,
  triggered_by text COLLATE "C" NOT NULL,
  worker_id text COLLATE "C",
  correlation_id text COLLATE "C",
  idempotency_key text COLLATE "C",
  traceparent text COLLATE "C",
  tracestate text COLLATE "C",
  progress text COLLATE "C",
  error text COLLATE "C",
  payload bytea NOT NULL,
  result bytea,
  PRIMARY KEY (id, queue)
);
-- Every entry here is paid at every end, so one index serves all searches: targets and topics are few, and a search hops from
-- one pair to the next and takes the newest rows of each status.
CREATE INDEX finished_of ON netscript.finished (queue, archived, target, topic, status, seq);
CREATE INDEX finished_dead ON netscript.finished (queue, target, topic, completed_at, seq) WHERE status IN ('failed', 'timeout');
CREATE INDEX finished_correlated ON netscript.finished (queue, archived, correlation_id, seq)
  WHERE correlation_id IS NOT NULL;
CREATE INDEX finished_keyed ON netscript.finished (queue, target, idempotency_key)
  WHERE idempotency_key IS NOT NULL AND status = 'completed';
CREATE INDEX finished_ageing ON netscript.finished (queue, archive_at) WHERE NOT archived;
CREATE INDEX finished_stale ON netscript.finished (queue, delete_at) WHERE archived;

-- Attempts that did not succeed. The one that did is told by the execution's own row, so that it costs nothing more.
CREATE TABLE netscript.attempt (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  execution bigint NOT NULL,
  started_at bigint,
  completed_at bigint NOT NULL,
  exit_code bigint,
  peak_memory bigint,
  cpu_ms bigint,
  attempt integer NOT NULL,
  worker_id text COLLATE "C",
  cause text COLLATE "C",
  error text COLLATE "C"
);
CREATE INDEX attempt_of ON netscript.attempt (execution, number);

CREATE TABLE netscript.line (
  execution bigint NOT NULL,
  position bigint NOT NULL,
  time bigint NOT NULL,
  stream text COLLATE "C" NOT NULL,
  level text COLLATE "C" NOT NULL,
  line text COLLATE "C" NOT NULL,
  PRIMARY KEY (execution, position)
);

CREATE TABLE netscript.pause (queue integer NOT NULL, topic text COLLATE "C" NOT NULL, PRIMARY KEY (queue, topic));

CREATE TABLE netscript.worker (
  queue integer NOT NULL,
  id text COLLATE "C" NOT NULL,
  last_seen_at bigint NOT NULL,
  info text NOT NULL,
  PRIMARY KEY (queue, id)
) WITH (fillfactor = 50);

-- What came from a queue and was not in our format.
CREATE TABLE netscript.garbage (
  id text COLLATE "C" PRIMARY KEY,
  queue integer NOT NULL,
  failed_at bigint NOT NULL,
  reason text NOT NULL,
  raw bytea NOT NULL
);
