#!lua flags=no-writes
-- Read the attempts that failed, and the record, which tells the one that succeeded. GIVEN: {id}.
return { record(GIVEN[1]) or false, call('LRANGE', P .. 'x:' .. GIVEN[1], 0, -1) }
