INSERT OR IGNORE INTO netscript_restored (queue, id) SELECT :queue, value FROM json_each(:ids)
