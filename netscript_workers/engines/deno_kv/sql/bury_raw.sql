INSERT INTO netscript_garbage (id, queue, failed_at, reason, raw) VALUES (:id, :queue, :now, :reason, :raw)
