INSERT OR IGNORE INTO netscript_undelivered (id, queue, data, keys) VALUES (:id, :queue, :data, :keys)
