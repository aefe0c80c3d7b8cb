INSERT INTO netscript_pause (queue, topic) VALUES (:queue, :topic) ON CONFLICT DO NOTHING
