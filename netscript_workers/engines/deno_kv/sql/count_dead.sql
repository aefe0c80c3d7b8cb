SELECT
  (SELECT count(*) FROM netscript_execution INDEXED BY netscript_finished WHERE queue = :queue AND status IN ('failed', 'timeout') AND archive_at IS NOT NULL)
  + (SELECT count(*) FROM netscript_archive WHERE queue = :queue AND status IN ('failed', 'timeout'))
  + (SELECT count(*) FROM netscript_garbage WHERE queue = :queue)
