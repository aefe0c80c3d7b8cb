SELECT count(*) FROM netscript.finished WHERE queue = $1 AND status IN ('failed', 'timeout')
