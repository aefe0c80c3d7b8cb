#!lua flags=allow-oom
-- Stop handing out a topic, or hand it out again. GIVEN: {topic, pause}.
if GIVEN[2] then
  return call('SADD', P .. 'paused', GIVEN[1])
end
call('SREM', P .. 'paused', GIVEN[1])
ring({ [GIVEN[1]] = true })
return 1
