-- What is kept for those of a batch that have ended, and how they ended.
SELECT u.id, e.status, u.data, u.keys
FROM json_each(:ids) AS given
CROSS JOIN netscript_undelivered AS u ON u.id = given.value AND u.queue = :queue
JOIN netscript_execution AS e ON e.id = u.id AND +e.queue = :queue
WHERE e.archive_at IS NOT NULL
