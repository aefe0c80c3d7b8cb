#!lua flags=allow-oom
-- Say that a worker lives. GIVEN: {id, silent}; ARGV[3] is what it says. Forgets those silent for longer than `silent` ms.
local workers = P .. 'workers'
local said = call('HGETALL', workers)
for i = 1, #said, 2 do
  if decode(said[i + 1])[1] < NOW - GIVEN[2] then
    call('HDEL', workers, said[i])
  end
end
call('HSET', workers, GIVEN[1], encode({ NOW, ARGV[3] }))
return call('PEXPIRE', workers, GIVEN[2])
