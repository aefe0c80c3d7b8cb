SELECT count(*) FROM netscript_archive WHERE queue = :queue AND status IN ('failed', 'timeout')
