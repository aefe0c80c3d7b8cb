#!lua
-- Tell how far schedules are. GIVEN: {keep_ms, targets, marks or none}. One not yet known begins now, and so does one that is known by
-- another mark (in the field `=target`). The book expires `keep_ms` after the last time that a scheduler looked into it.
-- Returns {now, last, ...} in the order of `targets`.
local book = P .. 'ticks'
local answer = { NOW }
for n, target in ipairs(GIVEN[2]) do
  local mark = GIVEN[3][n]
  local before = mark and call('HGET', book, '=' .. target)
  local last = tonumber(call('HGET', book, target))
  if not last or (before and before ~= mark and last < NOW) then
    last = NOW
    call('HSET', book, target, text(last))
  end
  if mark and before ~= mark then
    call('HSET', book, '=' .. target, mark)
  end
  answer[n + 1] = last
end
call('PEXPIRE', book, GIVEN[1])
return answer
