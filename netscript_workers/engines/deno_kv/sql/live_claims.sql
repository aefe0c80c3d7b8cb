SELECT json_group_array(json_array(e.id, e.token))
FROM json_each(:claims) AS given
CROSS JOIN netscript_execution AS e
WHERE e.id = (given.value ->> 0) AND +e.queue = :queue AND e.token = (given.value ->> 1) AND +e.status = 'running'
