SELECT * FROM netscript.count_depths($1, $2)
