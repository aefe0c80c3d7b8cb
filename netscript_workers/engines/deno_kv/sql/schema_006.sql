-- Our own tables, version 6: what came back from an archive outside this file and may still be there too, until that has let go of it.
CREATE TABLE IF NOT EXISTS netscript_restored (queue INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY (queue, id)) WITHOUT ROWID;
UPDATE netscript_schema SET version = 6;
