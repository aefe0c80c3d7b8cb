-- Our own tables, version 7: `mark` says what a schedule is, so that one which was changed while nothing ran begins anew. Empty where
-- nobody has said so yet.
ALTER TABLE netscript_schedule ADD COLUMN mark TEXT NOT NULL DEFAULT '';
UPDATE netscript_schema SET version = 7;
