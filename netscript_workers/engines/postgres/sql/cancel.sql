SELECT id, before FROM netscript.cancel($1, $2, $3, $4, $5, $6)
