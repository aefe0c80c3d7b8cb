SELECT EXISTS (SELECT 1 FROM netscript_undelivered)
