WITH gone AS (DELETE FROM netscript.pause WHERE queue = $1 AND topic = $2)
SELECT pg_notify(format('netscript_%s_work', $1::integer), '')
