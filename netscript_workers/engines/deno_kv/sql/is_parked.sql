SELECT EXISTS (SELECT 1 FROM netscript_execution WHERE queue = :queue AND status = 'queued' AND parked = 1)
