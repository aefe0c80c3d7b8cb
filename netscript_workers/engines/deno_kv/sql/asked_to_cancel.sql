SELECT json_group_array(e.id)
FROM json_each(:claims) AS given
CROSS JOIN netscript_execution AS e
WHERE e.id = (given.value ->> 0) AND +e.queue = :queue AND e.token = (given.value ->> 1) AND +e.status = 'running'
  AND e.cancel_asked = 1
