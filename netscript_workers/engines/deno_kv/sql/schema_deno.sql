-- The layout of Deno KV as Deno 2.9 makes it (its migration 3), to the letter, so that Deno can open the file.
CREATE TABLE migration_state(
  k integer not null primary key,
  version integer not null
);
INSERT INTO migration_state(k, version) VALUES (0, 3);
CREATE TABLE data_version (
  k integer primary key,
  version integer not null
, seq integer not null default 0);
INSERT INTO data_version(k, version) VALUES (0, 0);
CREATE TABLE kv (
  k blob primary key,
  v blob not null,
  v_encoding integer not null,
  version integer not null
, seq integer not null default 0, expiration_ms integer not null default -1) without rowid;
CREATE INDEX kv_expiration_ms_idx on kv (expiration_ms);
CREATE TABLE queue (
  ts integer not null,
  id text not null,
  data blob not null,
  backoff_schedule text not null,
  keys_if_undelivered blob not null,

  primary key (ts, id)
);
CREATE TABLE queue_running(
  deadline integer not null,
  id text not null,
  data blob not null,
  backoff_schedule text not null,
  keys_if_undelivered blob not null,

  primary key (deadline, id)
);
