-- Of each range of row numbers (from, below), the highest that is taken.
SELECT json_group_array(
  (SELECT max(seq) FROM netscript_archive WHERE seq >= (given.value ->> 0) AND seq < (given.value ->> 1))
)
FROM json_each(:ranges) AS given
