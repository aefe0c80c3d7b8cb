#!lua
-- Keep what is not in our format. GIVEN: {id, reason}; ARGV[3] is the raw text.
call('ZADD', P .. 'garbage', NOW, GIVEN[1])
return call('HSET', P .. 'raw', GIVEN[1], ARGV[3], 'why:' .. GIVEN[1], GIVEN[2])
