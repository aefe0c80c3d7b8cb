INSERT INTO netscript.migration (number, name) VALUES ($1, $2)
