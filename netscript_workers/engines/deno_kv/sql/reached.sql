-- Which ids of a batch the write with this token reached.
SELECT json_group_array(e.id)
FROM json_each(:ids) AS given
CROSS JOIN netscript_execution AS e
WHERE e.id = given.value AND +e.queue = :queue AND e.token = :token
