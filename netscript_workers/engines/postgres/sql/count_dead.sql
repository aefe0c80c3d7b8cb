SELECT
  (SELECT count(*) FROM netscript.finished WHERE queue = $1 AND status IN ('failed', 'timeout'))
  + (SELECT count(*) FROM netscript.garbage WHERE queue = $1)
