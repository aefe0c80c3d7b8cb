DELETE FROM queue WHERE (ts, id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(:batch)) RETURNING id
