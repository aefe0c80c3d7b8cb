SELECT netscript.fold_dead_letters($1)
