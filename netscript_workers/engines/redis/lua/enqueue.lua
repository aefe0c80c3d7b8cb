#!lua
-- Store new executions. GIVEN: {id, target, topic, priority, delay_ms, max_attempts, triggered_by, correlation_id,
-- idempotency_key} for each; ARGV[2 + n] is what never changes of the n-th. Returns {n, id it stands for, ...} for those refused.
local HOLDS = { pending = true, queued = true, running = true }

local function holder(target, key)
  local name = P .. 'k:' .. target .. ':' .. key
  for _, id in ipairs(call('ZRANGE', name, 0, -1)) do
    local m = read(id)
    if m and (HOLDS[m.status] or (m.status == 'completed' and (m.ended or 0) > NOW - KEY_HOLDS)) then
      return id
    end
    call('ZREM', name, id)
  end
end

local seq = math.max((tonumber(call('GET', P .. 'seq')) or 0) + 1, NOW * 32)
call('SET', P .. 'seq', seq + #GIVEN, 'PX', DAY)

local refused, adds, due, pending, waiting, topics = {}, {}, {}, {}, {}, {}
local by_index = {}
for n, new in ipairs(GIVEN) do
  local id, target, topic, key = new[1], new[2], new[3], new[9]
  local name = P .. 'e:' .. id
  local known = call('EXISTS', name) == 1 and id or (key and holder(target, key))
  if known then
    push2(refused, n, known)
  else
    local place = text(seq + n - 1)
    local i = { place, new[4], target, topic, new[8], key }
    local m = { status = 'queued', attempt = 0, max_attempts = new[6], triggered_by = new[7], triggered_at = NOW }
    if new[5] > 0 then
      m.status = 'pending'
      m.due_at = NOW + new[5]
      push2(due, m.due_at, id)
      push2(waiting, place, id)
      add(pending, topic, 1)
    else
      push2(group(group(adds, topic), target), text((100 - new[4]) * SPAN + seq + n - 1), id)
    end
    call('HSET', name, 'b', ARGV[2 + n], 'm', encode(m), 'i', encode(i))
    push2(group(by_index, 'g:' .. target), place, id)
    push2(group(by_index, 'o:' .. topic), place, id)
    if new[8] then
      push2(group(by_index, 'c:' .. new[8]), place, id)
    end
    if key then
      call('ZADD', P .. 'k:' .. target .. ':' .. key, place, id)
      call('PERSIST', P .. 'k:' .. target .. ':' .. key)
    end
    topics[topic] = true
  end
end
index_all(by_index)
many('ZADD', P .. 'due', due)
many('ZADD', P .. 'i:s:pending', waiting)
count('pending', pending)
enqueue(adds)
ring(topics)
return refused
