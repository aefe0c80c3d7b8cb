SELECT
  netscript.count_dead($1)
  + (SELECT count(*) FROM netscript.garbage WHERE queue = $1)
