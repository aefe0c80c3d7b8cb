#!lua
-- Tell how far schedules are. GIVEN: {keep_ms, targets}. One not yet known begins now. The book expires `keep_ms` after the last time
-- that a scheduler looked into it. Returns {now, last, ...} in the order of `targets`.
local book = P .. 'ticks'
local answer = { NOW }
for n, target in ipairs(GIVEN[2]) do
  local last = call('HGET', book, target)
  if not last then
    last = text(NOW)
    call('HSET', book, target, last)
  end
  answer[n + 1] = tonumber(last)
end
call('PEXPIRE', book, GIVEN[1])
return answer
