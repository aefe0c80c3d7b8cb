SELECT netscript.count_dead($1)
