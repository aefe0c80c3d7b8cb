SELECT json_group_array(json_array(info, last_seen_at))
FROM (SELECT * FROM netscript_worker WHERE queue = :queue AND last_seen_at >= :since ORDER BY id)
