-- How new executions come in.

-- Who holds an idempotency key now.
local function key_holder(target, key)
  local name = P .. 'k:' .. target .. ':' .. key
  for _, id in ipairs(call('ZRANGE', name, 0, -1)) do
    local m = read(id)
    if m and (not FINISHED[m.status] or (m.status == 'completed' and (m.ended or 0) > NOW - KEY_HOLDS)) then
      return id
    end
    call('ZREM', name, id)
  end
end

-- Store new executions, given as `enqueue` is; `blob(n)` is what never changes of the n-th. Returns {n, id it stands for, ...} for
-- those refused.
local function store_new(given, blob)
  local seq = math.max((tonumber(call('GET', P .. 'seq')) or 0) + 1, NOW * 32)
  call('SET', P .. 'seq', seq + #given, 'PX', DAY)

  local refused, adds, due, pending, waiting, topics = {}, {}, {}, {}, {}, {}
  local by_index = {}
  for n, new in ipairs(given) do
    local id, target, topic, key = new[1], new[2], new[3], new[9]
    local name = P .. 'e:' .. id
    local known = call('EXISTS', name) == 1 and id or (key and key_holder(target, key))
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
      call('HSET', name, 'b', blob(n), 'm', encode(m), 'i', encode(i))
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
end
