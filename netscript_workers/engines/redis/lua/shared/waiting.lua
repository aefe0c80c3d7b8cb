-- The way of an execution to its claim.

-- `adds` maps topic to target to {rank, id, ...}.
local function enqueue(adds)
  for topic, targets in pairs(adds) do
    call('SADD', P .. 'topics', topic)
    for target, flat in pairs(targets) do
      many('ZADD', P .. 'q:' .. topic .. ':' .. target, flat)
      call('SADD', P .. 't:' .. topic, target)
    end
  end
end

local function to_queue(adds, id, m)
  push2(group(group(adds, m.topic), m.target), rank(m), id)
end

local function leave_queue(topic, target)
  if call('EXISTS', P .. 'q:' .. topic .. ':' .. target) == 0 then
    call('SREM', P .. 't:' .. topic, target)
    call('SREM', P .. 'held', target)
    if call('EXISTS', P .. 't:' .. topic) == 0 then
      call('SREM', P .. 'topics', topic)
    end
  end
end

local function out_of_queue(id, m)
  call('ZREM', P .. 'q:' .. m.topic .. ':' .. m.target, id)
  leave_queue(m.topic, m.target)
end

local function ring(topics)
  local names = {}
  for topic in pairs(topics) do
    names[#names + 1] = topic
  end
  if #names > 0 then
    publish('work', table.concat(names, ' '))
  end
end

-- What has become due can be claimed from now on, the longest due first. Returns the topics it touched.
local function promote()
  local ids = call('ZRANGEBYSCORE', P .. 'due', '-inf', NOW, 'LIMIT', 0, 1000)
  local adds, counts, topics = {}, {}, {}
  for _, id in ipairs(ids) do
    local m = read(id)
    if m and m.status == 'pending' then
      m.status = 'queued'
      m.due_at = nil
      write(id, m)
      to_queue(adds, id, m)
      add(counts, m.topic, -1)
      topics[m.topic] = true
    end
  end
  if #ids > 0 then
    many('ZREM', P .. 'due', ids)
    many('ZREM', P .. 'i:s:pending', ids)
    enqueue(adds)
    count('pending', counts)
  end
  return topics
end

-- Mark `ids` as claimed and return their records. `targets` and `topics` say how many are of which.
local function take(ids, token, worker, lease_ms, targets, topics)
  local records, leases = {}, {}
  local base, until_ms = P .. 'e:', text(REAL + lease_ms)
  for _, id in ipairs(ids) do
    local name = base .. id
    local h = call('HMGET', name, 'b', 'm')
    if h[2] then
      local m = decode(h[2])
      if m.words or m.said then
        call('HDEL', name, 'f', 'p')
        m.words, m.said = nil, nil
      end
      if m.attempt > 0 then
        m.completed_at, m.exit_code, m.peak_memory, m.cpu_ms = nil, nil, nil, nil
      end
      m.status = 'running'
      m.attempt = m.attempt + 1
      m.token = token
      m.worker_id = worker
      m.started_at = NOW
      local map = encode(m)
      call('HSET', name, 'm', map)
      push2(records, h[1], map)
      push2(leases, until_ms, id)
    end
  end
  many('ZADD', P .. 'leases', leases)
  count_running(targets, topics)
  return records
end
