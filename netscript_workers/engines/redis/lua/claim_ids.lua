#!lua flags=allow-oom
-- Claim those of some executions that can be claimed now. GIVEN: {token, worker, lease_ms, total, {{target, limit}, ...}, {id, ...}}.
-- Returns {two maps of each record, ...}.
local token, worker, lease_ms, total = GIVEN[1], GIVEN[2], GIVEN[3], GIVEN[4]
local limits, left, paused = {}, {}, {}
for _, pair in ipairs(GIVEN[5]) do
  limits[pair[1]] = pair[2]
end
for _, topic in ipairs(call('SMEMBERS', P .. 'paused')) do
  paused[topic] = true
end

local function has_room(target)
  if not limits[target] then
    return true
  end
  left[target] = left[target] or limits[target] - (tonumber(call('HGET', P .. 'running', 'g:' .. target)) or 0)
  left[target] = left[target] - 1
  return left[target] >= 0
end

promote()
local ids, seen, targets, topics = {}, {}, {}, {}
for _, id in ipairs(GIVEN[6]) do
  local m = not seen[id] and #ids < total and read(id)
  if m and m.status == 'queued' and not paused[m.topic] and has_room(m.target) then
    seen[id] = true
    push(ids, id)
    out_of_queue(id, m)
    add(targets, m.target, 1)
    add(topics, m.topic, 1)
  end
end
local records = take(ids, token, worker, lease_ms, targets, topics)
return records
