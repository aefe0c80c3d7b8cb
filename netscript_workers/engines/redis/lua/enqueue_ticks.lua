#!lua
-- Enqueue the ticks that are new and note them. GIVEN: {keep_ms, {{target, at}, ...}, {what `enqueue` is given of each, ...}};
-- ARGV[2 + n] is what never changes of the n-th. The book expires `keep_ms` after the last time that a scheduler looked into it.
-- Returns {n, id it stands for, ...} for those that are not enqueued, empty for one that is not new.
local book = P .. 'ticks'
local last, places, new, answer = {}, {}, {}, {}
for n, tick in ipairs(GIVEN[2]) do
  local target, at = tick[1], tick[2]
  local before = last[target] or tonumber(call('HGET', book, target))
  if before and at > before then
    last[target] = at
    push(places, n)
    push(new, GIVEN[3][n])
  else
    last[target] = before
    push2(answer, n, '')
  end
end
if #new == 0 then
  return answer
end
local known = store_new(new, function(n)
  return ARGV[2 + places[n]]
end)
for i = 1, #known, 2 do
  push2(answer, places[known[i]], known[i + 1])
end
local flat = {}
for target, at in pairs(last) do
  push2(flat, target, text(at))
end
many('HSET', book, flat)
call('PEXPIRE', book, GIVEN[1])
return answer
