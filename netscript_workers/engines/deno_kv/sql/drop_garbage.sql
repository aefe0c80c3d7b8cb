DELETE FROM netscript_garbage WHERE queue = :queue AND failed_at <= :kept_since
