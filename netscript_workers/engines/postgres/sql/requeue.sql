SELECT netscript.requeue($1, $2, $3)
