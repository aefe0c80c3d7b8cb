SELECT netscript.drop_due($1, $2, $3)
