DELETE FROM queue_running WHERE (deadline, id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(:batch)) RETURNING id
