UPDATE netscript_execution AS e
SET lease_until = :lease_until
FROM (SELECT value ->> 0 AS id, value ->> 1 AS token FROM json_each(:claims)) AS s
WHERE e.id = s.id AND +e.queue = :queue AND e.token = s.token AND +e.status = 'running'
