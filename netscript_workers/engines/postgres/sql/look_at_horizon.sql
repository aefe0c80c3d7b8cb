-- What holds back vacuum most in this database: the oldest snapshot that anybody may still read with. Sessions, standby servers,
-- prepared transactions and replication slots can hold one. A role without pg_read_all_stats sees its own sessions only.
SELECT kind, name, pid, state, age_ms, behind
FROM (
  SELECT
    CASE WHEN a.backend_type = 'walsender' THEN 'standby' ELSE 'session' END AS kind,
    coalesce(nullif(a.application_name, ''), a.usename::text, '?') AS name, a.pid, a.state,
    (extract(epoch FROM clock_timestamp() - a.xact_start) * 1000)::bigint AS age_ms,
    greatest(age(a.backend_xmin), age(a.backend_xid)) AS behind
  FROM pg_catalog.pg_stat_activity AS a
  WHERE a.pid <> pg_backend_pid() AND (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
    AND (a.datname = current_database() AND a.backend_type = 'client backend' OR a.backend_type = 'walsender')
  UNION ALL
  SELECT
    'prepared', p.gid, NULL, NULL, (extract(epoch FROM clock_timestamp() - p.prepared) * 1000)::bigint, age(p.transaction)
  FROM pg_catalog.pg_prepared_xacts AS p WHERE p.database = current_database()
  UNION ALL
  SELECT 'slot', s.slot_name, s.active_pid, CASE WHEN s.active THEN 'active' ELSE 'inactive' END, NULL, age(s.xmin)
  FROM pg_catalog.pg_replication_slots AS s WHERE s.xmin IS NOT NULL
) AS holding
ORDER BY behind DESC, age_ms DESC NULLS LAST
LIMIT 1
