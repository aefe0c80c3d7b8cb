SELECT EXISTS (SELECT 1 FROM netscript_execution INDEXED BY netscript_parked WHERE queue = :queue AND status = 'queued' AND parked = 1)
