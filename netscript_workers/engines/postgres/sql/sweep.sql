SELECT archived, deleted FROM netscript.sweep($1, $2, $3)
