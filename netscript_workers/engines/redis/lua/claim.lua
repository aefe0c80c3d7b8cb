#!lua flags=allow-oom
-- Claim what is due. GIVEN: {token, worker, lease_ms, total, {{limit, {topic, ...}}, ...}, {{target, limit}, ...}, engine, doubts}.
-- `doubts` are the tokens of claims whose answer never came: what they claimed goes back first. Returns {server's time, when the
-- next pending one is due or -1, {two maps of each record, ...}}.
local token, worker, lease_ms, total, lanes = GIVEN[1], GIVEN[2], GIVEN[3], GIVEN[4], GIVEN[5]
local last = P .. 'c:' .. GIVEN[7]

local function give_back(before)
  local doubt = before[1]
  local adds, targets, topics, freed = {}, {}, {}, {}
  for _, id in ipairs(before[2]) do
    local m = read(id)
    if m and m.status == 'running' and m.token == doubt and not m.cancel then
      m.status = 'queued'
      m.attempt = m.attempt - 1
      m.worker_id, m.started_at = nil, nil
      write(id, m)
      to_queue(adds, id, m)
      add(targets, m.target, -1)
      add(topics, m.topic, -1)
      push(freed, id)
    end
  end
  many('ZREM', P .. 'leases', freed)
  count_running(targets, topics)
  enqueue(adds)
end

if #GIVEN[8] > 0 then
  local before = call('GET', last)
  before = before and decode(before)
  for _, doubt in ipairs(GIVEN[8]) do
    if before and before[1] == doubt then
      give_back(before)
    end
  end
  call('DEL', last)
end

local limits, held = {}, {}
for _, pair in ipairs(GIVEN[6]) do
  limits[pair[1]] = pair[2]
end
for _, target in ipairs(call('SMEMBERS', P .. 'held')) do
  held[target] = true
end

local function room_of(target)
  return limits[target] and limits[target] - (tonumber(call('HGET', P .. 'running', 'g:' .. target)) or 0)
end

local function mark_held(target, is)
  if is and not held[target] then
    call('SADD', P .. 'held', target)
  elseif held[target] and not is then
    call('SREM', P .. 'held', target)
  end
  held[target] = is or nil
end

-- How many of each target and topic are claimed so far: the counts are written once, at the end.
local taken, of_topic = {}, {}

local function pop_all(topic, target, room, ids)
  local popped = call('ZPOPMIN', P .. 'q:' .. topic .. ':' .. target, room)
  for i = 1, #popped, 2 do
    push(ids, popped[i])
  end
  add(taken, target, #popped / 2)
  leave_queue(topic, target)
  return #popped / 2
end

local function fill(cursor)
  local got = call('ZRANGE', cursor.name, cursor.offset, cursor.offset + cursor.step - 1, 'WITHSCORES')
  cursor.items, cursor.at = got, 1
  cursor.offset = cursor.offset + #got / 2
  cursor.rank = tonumber(got[2])
end

-- Several targets, or one with a limit: the best of their heads, one after the other.
local function pop_best(topic, targets, room, ids)
  local cursors, got = {}, 0
  for _, target in ipairs(targets) do
    local left = room_of(target)
    left = left and left - (taken[target] or 0)
    if not left or left > 0 then
      local cursor = { name = P .. 'q:' .. topic .. ':' .. target, target = target, offset = 0, left = left, chosen = {} }
      cursor.step = math.max(4, math.ceil(room / #targets))
      fill(cursor)
      push(cursors, cursor)
      mark_held(target, false)
    else
      mark_held(target, true)
    end
  end
  while got < room do
    local best
    for _, cursor in ipairs(cursors) do
      if cursor.rank and (not best or cursor.rank < best.rank) then
        best = cursor
      end
    end
    if not best then
      break
    end
    push(best.chosen, best.items[best.at])
    push(ids, best.items[best.at])
    got = got + 1
    best.at = best.at + 2
    best.rank = tonumber(best.items[best.at + 1])
    if not best.rank then
      fill(best)
    end
    if best.left then
      best.left = best.left - 1
      if best.left == 0 then
        if best.rank then
          mark_held(best.target, true)
        end
        best.rank = nil
      end
    end
  end
  for _, cursor in ipairs(cursors) do
    if #cursor.chosen > 0 then
      many('ZREM', cursor.name, cursor.chosen)
      add(taken, cursor.target, #cursor.chosen)
      leave_queue(topic, cursor.target)
    end
  end
  return got
end

local promoted = promote()
local ids = {}
for _, lane in ipairs(lanes) do
  local room = math.min(lane[1], total - #ids)
  for _, topic in ipairs(lane[2]) do
    promoted[topic] = nil
    if room > 0 and call('SISMEMBER', P .. 'paused', topic) == 0 then
      local targets = call('SMEMBERS', P .. 't:' .. topic)
      if #targets == 1 and not limits[targets[1]] then
        mark_held(targets[1], false)
        local got = pop_all(topic, targets[1], room, ids)
        room = room - got
        add(of_topic, topic, got)
      elseif #targets > 0 then
        local got = pop_best(topic, targets, room, ids)
        room = room - got
        add(of_topic, topic, got)
      end
    end
  end
end
local records = take(ids, token, worker, lease_ms, taken, of_topic)
if #ids > 0 then
  call('SET', last, encode({ token, ids }), 'PX', lease_ms)
end
ring(promoted)
local next_due = call('ZRANGE', P .. 'due', 0, 0, 'WITHSCORES')[2]
return { NOW, tonumber(next_due) or -1, records }
