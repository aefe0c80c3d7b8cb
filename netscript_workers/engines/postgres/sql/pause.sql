INSERT INTO netscript.pause (queue, topic) VALUES ($1, $2) ON CONFLICT DO NOTHING
