#!lua flags=no-writes
-- Count what stands in each topic. Returns {topic, pending, queued, running, paused, triggered_at of the oldest queued or -1}, ....
local rows = {}

local function row(topic)
  local one = rows[topic]
  if not one then
    one = { topic, 0, 0, 0, 0, -1 }
    rows[topic] = one
  end
  return one
end

-- The oldest of a queue stands first within its priority: hop from one priority to the next.
local function oldest(name)
  local found, place, from = nil, nil, '-inf'
  while true do
    local first = call('ZRANGEBYSCORE', name, from, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    if #first == 0 then
      return found, place
    end
    local level = math.floor(tonumber(first[2]) / SPAN)
    local seq = tonumber(first[2]) - level * SPAN
    if not place or seq < place then
      found, place = first[1], seq
    end
    from = string.format('%.0f', (level + 1) * SPAN)
  end
end

local pending = call('HGETALL', P .. 'pending')
for i = 1, #pending, 2 do
  row(pending[i])[2] = tonumber(pending[i + 1])
end
local running = call('HGETALL', P .. 'running')
for i = 1, #running, 2 do
  if running[i]:sub(1, 2) == 'o:' then
    row(running[i]:sub(3))[4] = tonumber(running[i + 1])
  end
end
for _, topic in ipairs(call('SMEMBERS', P .. 'paused')) do
  row(topic)[5] = 1
end
for _, topic in ipairs(call('SMEMBERS', P .. 'topics')) do
  local first, place
  for _, target in ipairs(call('SMEMBERS', P .. 't:' .. topic)) do
    local name = P .. 'q:' .. topic .. ':' .. target
    row(topic)[3] = row(topic)[3] + call('ZCARD', name)
    local id, seq = oldest(name)
    if id and (not place or seq < place) then
      first, place = id, seq
    end
  end
  local m = first and read(first)
  if m then
    row(topic)[6] = m.triggered_at
  end
end
local answer = { NOW }
for _, one in pairs(rows) do
  push(answer, one)
end
return answer
