SELECT netscript.remove($1, $2)
