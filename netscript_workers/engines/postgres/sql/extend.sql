SELECT netscript.extend($1, $2, $3, $4)
