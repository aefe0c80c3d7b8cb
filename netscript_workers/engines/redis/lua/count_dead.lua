#!lua flags=no-writes
-- Count dead letters, garbage included.
return call('ZCARD', P .. 'dead') + call('ZCOUNT', P .. 'garbage', '(' .. text(NOW - GARBAGE_KEPT), '+inf')
