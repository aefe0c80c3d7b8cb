-- Our own tables, version 2: what Deno is to find in `kv` if a message of its queue ends as a dead letter (keysIfUndelivered).
-- `data` is the message as Deno wrote it, `keys` the keys as Deno wrote them (JSON, each key an array of bytes).
CREATE TABLE netscript_undelivered (
  id TEXT NOT NULL,
  queue INTEGER NOT NULL,
  data BLOB NOT NULL,
  keys TEXT NOT NULL,
  PRIMARY KEY (id, queue)
) WITHOUT ROWID;
UPDATE netscript_schema SET version = 2;
