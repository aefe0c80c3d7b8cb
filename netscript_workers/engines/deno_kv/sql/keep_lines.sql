-- Lines of restored or archived records, by row number, at the positions they had.
INSERT INTO netscript_line (execution, position, time, stream, level, line)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
FROM json_each(:batch)
