#!lua
-- Keep what is not in our format, for a while. GIVEN: {id, reason}; ARGV[3] is the raw text.
local garbage, raw = P .. 'garbage', P .. 'r:' .. GIVEN[1]
call('ZREMRANGEBYSCORE', garbage, '-inf', NOW - GARBAGE_KEPT)
call('ZADD', garbage, NOW, GIVEN[1])
call('PEXPIRE', garbage, GARBAGE_KEPT)
call('HSET', raw, 'raw', ARGV[3], 'why', GIVEN[2])
return call('PEXPIRE', raw, GARBAGE_KEPT)
