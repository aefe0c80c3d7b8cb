CREATE SCHEMA IF NOT EXISTS netscript;
CREATE TABLE netscript.migration (
  number integer PRIMARY KEY,
  name text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
