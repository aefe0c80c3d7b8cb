SELECT netscript.give_back($1, $2, $3)
