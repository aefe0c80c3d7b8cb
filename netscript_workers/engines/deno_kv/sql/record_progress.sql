UPDATE netscript_execution AS e
SET progress = s.progress
FROM (SELECT value ->> 0 AS id, value ->> 1 AS token, value ->> 2 AS progress FROM json_each(:batch)) AS s
WHERE e.id = s.id AND +e.queue = :queue AND e.token = s.token AND +e.status = 'running'
