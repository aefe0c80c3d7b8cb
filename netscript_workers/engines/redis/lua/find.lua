#!lua flags=no-writes
-- Find records, newest first, a stretch at a time. GIVEN: {target, topic, status, correlation_id, limit, reach, before}: false for what
-- does not matter; `before` is the place to go on from. Returns {place to go on from or -1, record, ...}; a place is a text.
local target, topic, status, correlation = GIVEN[1], GIVEN[2], GIVEN[3], GIVEN[4]
local limit, reach, before = GIVEN[5], GIVEN[6], tonumber(GIVEN[7]) or SPAN

-- A candidate is {place, id, m}.
local function by_index(names)
  local found, whole = {}, true
  for _, name in ipairs(names) do
    local flat = call('ZREVRANGEBYSCORE', name, string.format('(%.0f', before), '-inf', 'WITHSCORES', 'LIMIT', 0, reach)
    whole = whole and #flat < 2 * reach
    for i = 1, #flat, 2 do
      push(found, { tonumber(flat[i + 1]), flat[i] })
    end
  end
  return found, whole
end

local function queued()
  local found = {}
  for _, of in ipairs(topic and { topic } or call('SMEMBERS', P .. 'topics')) do
    for _, name in ipairs(target and { target } or call('SMEMBERS', P .. 't:' .. of)) do
      local queue, from = P .. 'q:' .. of .. ':' .. name, '-inf'
      while true do -- from one priority to the next, the newest of each
        local first = call('ZRANGEBYSCORE', queue, from, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
        if #first == 0 then
          break
        end
        local level = math.floor(tonumber(first[2]) / SPAN) * SPAN
        local top, bottom = string.format('(%.0f', level + before), string.format('%.0f', level)
        local flat = call('ZREVRANGEBYSCORE', queue, top, bottom, 'WITHSCORES', 'LIMIT', 0, reach)
        for i = 1, #flat, 2 do
          push(found, { tonumber(flat[i + 1]) - level, flat[i] })
        end
        from = string.format('%.0f', level + SPAN)
      end
    end
  end
  return found, false
end

local function running()
  local found = {}
  for _, id in ipairs(call('ZRANGE', P .. 'leases', 0, -1)) do
    local m = read(id)
    if m and tonumber(m.seq) < before then
      push(found, { tonumber(m.seq), id, m })
    end
  end
  return found, true
end

local function common(keys)
  push2(keys, 'LIMIT', 1)
  return call('ZINTERCARD', #keys - 2, unpack(keys))
end

-- Several indexes that have nothing in common need no walk: the answer is found at once when it is none.
local function nothing_in_common(choices)
  local keys = {}
  for _, choice in ipairs(choices) do
    if choice then
      push(keys, P .. choice)
    end
  end
  return #keys > 1 and not GIVEN[7] and common(keys) == 0
end

local function names()
  if correlation then
    return { P .. 'i:c:' .. correlation }
  end
  local best, least
  local choices = { target and 'i:g:' .. target or false, topic and 'i:o:' .. topic or false, status and 'i:s:' .. status or false }
  if nothing_in_common(choices) then
    return {}
  end
  for _, choice in ipairs(choices) do
    local size = choice and call('ZCARD', P .. choice)
    if size and (not least or size < least) then
      best, least = P .. choice, size
    end
  end
  if best then
    return { best }
  end
  local all = {}
  for _, one in ipairs(call('SMEMBERS', P .. 'i:topics')) do
    push(all, P .. 'i:o:' .. one)
  end
  return all
end

local function matches(m)
  return (not target or m.target == target)
    and (not topic or m.topic == topic)
    and (not status or m.status == status)
    and (not correlation or m.correlation_id == correlation)
end

local found, whole
if status == 'queued' and not correlation then
  found, whole = queued()
elseif status == 'running' and not correlation then
  found, whole = running()
else
  found, whole = by_index(names())
end
table.sort(found, function(a, b)
  return a[1] > b[1]
end)
local answer, at = { -1 }, 0
while at < #found and at < reach and #answer <= limit do
  at = at + 1
  local m = found[at][3] or read(found[at][2])
  if m and matches(m) then
    push(answer, record(found[at][2]))
  end
end
if #found > 0 and (at < #found or not whole) then
  answer[1] = string.format('%.0f', found[at][1])
end
return answer
