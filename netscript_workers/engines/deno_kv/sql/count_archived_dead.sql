SELECT count(*) FROM netscript_archive INDEXED BY netscript_archive_dead
WHERE queue = :queue AND status IN ('failed', 'timeout')
