SELECT json_group_array(id)
FROM (SELECT id FROM netscript_archive WHERE queue = :queue AND delete_at <= :now ORDER BY delete_at LIMIT :limit)
