#!lua flags=allow-oom
-- Read what is past its live age, the longest past first. GIVEN: {limit}. Returns {record, archive_at, delete_at, {attempt, ...},
-- {line, ...}}, ..., and -1 last when it stopped for now. What has expired by itself is taken out of the orders on the way.
local answer, gone, at = {}, {}, 0
recount()
while #answer < GIVEN[1] do
  local flat = call('ZRANGEBYSCORE', P .. 'ageing', '-inf', NOW, 'WITHSCORES', 'LIMIT', at, math.min(GIVEN[1], LOOK))
  if #flat == 0 then
    break
  end
  at = at + #flat / 2
  if #gone >= LOOK then
    prune(gone)
    push(answer, -1)
    return answer
  end
  for i = 1, #flat, 2 do
    local id = flat[i]
    local m = read(id)
    if not m then
      push(gone, id)
    elseif FINISHED[m.status] and #answer < GIVEN[1] then
      local attempts, lines = call('LRANGE', P .. 'x:' .. id, 0, -1), call('LRANGE', P .. 'l:' .. id, 0, -1)
      push(answer, { record(id), tonumber(flat[i + 1]), m.delete_at, attempts, lines })
    end
  end
end
prune(gone)
return answer
