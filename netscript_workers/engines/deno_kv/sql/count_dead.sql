SELECT
  (SELECT count(*) FROM netscript_execution INDEXED BY netscript_dead WHERE queue = :queue AND status IN ('failed', 'timeout'))
  + (SELECT count(*) FROM netscript_archive INDEXED BY netscript_archive_dead
     WHERE queue = :queue AND status IN ('failed', 'timeout'))
  + (SELECT count(*) FROM netscript_garbage WHERE queue = :queue AND failed_at > :kept_since)
