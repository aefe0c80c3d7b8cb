#!lua flags=no-writes
-- Find dead letters, the latest failure first. GIVEN: {target, topic, ids, limit, after}: nil or false for what does not matter. Returns
-- {{record, ...}, {garbage id, failed_at, reason, raw}, ...}.
local target, topic, limit = GIVEN[1], GIVEN[2], GIVEN[4]
local wanted
if GIVEN[3] then
  wanted = {}
  for _, id in ipairs(GIVEN[3]) do
    wanted[id] = true
  end
end
local records, at = {}, 0
while not limit or #records < limit do
  local ids = call('ZREVRANGE', P .. 'dead', at, at + 999)
  if #ids == 0 then
    break
  end
  at = at + #ids
  for _, id in ipairs(ids) do
    local m = (not wanted or wanted[id]) and read(id)
    if m and (not target or m.target == target) and (not topic or m.topic == topic) and (not limit or #records < limit) then
      push(records, record(id))
    end
  end
end
local answer = { records }
if not target and not topic then
  local garbage = call('ZREVRANGE', P .. 'garbage', 0, (limit and not wanted) and limit - 1 or -1, 'WITHSCORES')
  for i = 1, #garbage, 2 do
    if not wanted or wanted[garbage[i]] then
      local kept = call('HMGET', P .. 'raw', garbage[i], 'why:' .. garbage[i])
      push(answer, { garbage[i], tonumber(garbage[i + 1]), kept[2] or '', kept[1] or '' })
    end
  end
end
return answer
