SELECT * FROM netscript.look_for_work($1, $2, $3, $4)
