-- What every script of this engine begins with. The README of the keys:
--
--   e:<id>            hash, one execution: b what never changes (msgpack map, written by the client), m what changes (msgpack map,
--                     written here), f error and result, p progress: made one map they are the record. i is what scripts must know of
--                     b: {place, priority, target, topic, correlation id, idempotency key}
--   x:<id>, l:<id>    lists: the attempts that failed, the last log lines
--   q:<topic>:<target>  what is queued, by rank (priority, then age)     t:<topic>  its targets     topics  the topics
--   due, leases       what waits for its time, by it; what runs, by the end of its lease
--   running, pending  counts by target (g:) and topic (o:); by topic
--   held              targets that a limit held back          asked     id to token of runs asked to stop
--   k:<target>:<key>  who holds an idempotency key            paused    topics
--   i:g: i:o: i:c: i:s:  what there is by target, topic, correlation id and status, by age    i:targets, i:topics  their names
--   ageing, dead      what has ended, by the end of its live age; dead letters, by the time of their failure
--   garbage, raw      what was no execution of ours     workers   what they say of themselves     seq   the last place given
--   c:<engine>        the last claim of an engine, for as long as its answer may be asked for again
--
-- ARGV[1] is the time of records and due times in ms, empty for the server's. ARGV[2] is the batch, as msgpack.
local P = KEYS[1] .. ':'
local call = redis.call
local decode, encode = cmsgpack.unpack, cmsgpack.pack
local clock = call('TIME')
local REAL = clock[1] * 1000 + math.floor(clock[2] / 1000)
local NOW = tonumber(ARGV[1]) or REAL
local GIVEN = ARGV[2] and decode(ARGV[2])
local SPAN = 70368744177664 -- 2^46: a rank is (100 - priority) * SPAN + place
local DAY = 86400000
local GRACE = 7 * DAY -- a finished record outlives its live age by this, so that a late sweeper still finds it
local KEY_HOLDS = DAY
local LINES = 1000
local FINISHED = { completed = true, failed = true, timeout = true, cancelled = true }
local DEAD = { failed = true, timeout = true }

-- One command with many arguments, in pieces that Lua can unpack.
local function many(command, key, flat)
  for i = 1, #flat, 2000 do
    call(command, key, unpack(flat, i, math.min(i + 1999, #flat)))
  end
end

local function group(groups, name)
  local one = groups[name]
  if not one then
    one = {}
    groups[name] = one
  end
  return one
end

local function push(list, one)
  list[#list + 1] = one
end

local function push2(list, one, other)
  local n = #list
  list[n + 1] = one
  list[n + 2] = other
end

local function add(counts, name, by)
  counts[name] = (counts[name] or 0) + by
end

local function count(hash, counts)
  for name, by in pairs(counts) do
    if by ~= 0 and call('HINCRBY', P .. hash, name, by) <= 0 then
      call('HDEL', P .. hash, name)
    end
  end
end

local function count_running(targets, topics)
  local counts = {}
  for target, by in pairs(targets) do
    counts['g:' .. target] = by
  end
  for topic, by in pairs(topics) do
    counts['o:' .. topic] = by
  end
  count('running', counts)
end

local function read(id)
  local h = call('HMGET', P .. 'e:' .. id, 'm', 'i')
  if not h[1] then
    return nil
  end
  local m, i = decode(h[1]), decode(h[2])
  m.seq, m.priority, m.target, m.topic, m.correlation_id, m.idempotency_key = i[1], i[2], i[3], i[4], i[5], i[6]
  return m
end

-- What stands in i is not written again.
local function packed(m)
  local seq, priority, target, topic, correlation, key = m.seq, m.priority, m.target, m.topic, m.correlation_id, m.idempotency_key
  m.seq, m.priority, m.target, m.topic, m.correlation_id, m.idempotency_key = nil, nil, nil, nil, nil, nil
  local map = encode(m)
  m.seq, m.priority, m.target, m.topic, m.correlation_id, m.idempotency_key = seq, priority, target, topic, correlation, key
  return map
end

local function write(id, m, words)
  if words then
    call('HSET', P .. 'e:' .. id, 'm', packed(m), 'f', words)
  else
    call('HSET', P .. 'e:' .. id, 'm', packed(m))
  end
end

-- Numbers of this size take Redis long to write: write those that a batch shares once.
local function text(number)
  return string.format('%.0f', number)
end

-- A record is its maps, one beside the other; the client joins them.
local function record(id)
  local h = call('HMGET', P .. 'e:' .. id, 'b', 'm', 'f', 'p')
  return h[2] and h
end

local function rank(m)
  return text((100 - m.priority) * SPAN + tonumber(m.seq))
end

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
    call('PUBLISH', P .. 'work', table.concat(names, ' '))
  end
end

local function expire(id, m, ms)
  call('PEXPIRE', P .. 'e:' .. id, ms)
  if m.lines then
    call('PEXPIRE', P .. 'l:' .. id, ms)
  end
  if m.tries then
    call('PEXPIRE', P .. 'x:' .. id, ms)
  end
end

-- A key without a living holder expires by itself.
local function let_key_expire(name)
  for _, id in ipairs(call('ZRANGE', name, 0, 15)) do
    local m = read(id)
    if m and not FINISHED[m.status] then
      return
    end
  end
  call('PEXPIRE', name, KEY_HOLDS)
end

-- Collects what ends in one batch; `finish` adds to it, `flush_ends` writes the orders of what has ended.
local function new_ends()
  return { ids = {}, ageing = {}, dead = {}, status = {}, times = {} }
end

local function finish(ends, id, m, keep_ms, archive_ms, words)
  push(ends.ids, id)
  local at = ends.times[keep_ms] or text(NOW + keep_ms)
  ends.times[keep_ms] = at
  push2(ends.ageing, at, id)
  push2(group(ends.status, m.status), m.seq, id)
  if DEAD[m.status] then
    push2(ends.dead, m.completed_at, id)
  end
  m.delete_at = NOW + keep_ms + archive_ms
  m.due_at = nil
  m.cancel = nil
  write(id, m, words)
  expire(id, m, keep_ms + GRACE)
  if m.correlation_id then
    call('PEXPIRE', P .. 'i:c:' .. m.correlation_id, keep_ms + GRACE)
  end
  if m.idempotency_key then
    local name = P .. 'k:' .. m.target .. ':' .. m.idempotency_key
    if m.status ~= 'completed' then
      call('ZREM', name, id)
    end
    let_key_expire(name)
  end
end

local function flush_ends(ends)
  if #ends.ids == 0 then
    return
  end
  many('ZADD', P .. 'ageing', ends.ageing)
  for status, flat in pairs(ends.status) do
    many('ZADD', P .. 'i:s:' .. status, flat)
  end
  many('ZADD', P .. 'dead', ends.dead)
  local names = {}
  for n, id in ipairs(ends.ids) do
    names[n] = string.char(#id) .. id
  end
  call('PUBLISH', P .. 'end', table.concat(names))
end

-- Take an execution out of the orders of what has ended.
local function unfinish(id, m)
  call('ZREM', P .. 'i:s:' .. m.status, id)
  call('ZREM', P .. 'ageing', id)
  if DEAD[m.status] then
    call('ZREM', P .. 'dead', id)
  end
end

local function unindex(kind, name, id)
  local index = P .. 'i:' .. kind:sub(1, 1) .. ':' .. name
  if call('ZREM', index, id) == 1 and call('EXISTS', index) == 0 then
    call('SREM', P .. 'i:' .. kind:sub(3), name)
  end
end

-- Remove an execution that has ended, with all that belongs to it.
local function remove(id, m)
  unfinish(id, m)
  unindex('g:targets', m.target, id)
  unindex('o:topics', m.topic, id)
  if m.correlation_id then
    call('ZREM', P .. 'i:c:' .. m.correlation_id, id)
  end
  if m.idempotency_key then
    call('ZREM', P .. 'k:' .. m.target .. ':' .. m.idempotency_key, id)
  end
  call('DEL', P .. 'e:' .. id, P .. 'l:' .. id, P .. 'x:' .. id)
end

-- A record that expired cannot say which indexes name it: look at the oldest of each. False when nothing is left.
local function prune_index(name)
  while true do
    local stale = {}
    for _, id in ipairs(call('ZRANGE', name, 0, 99)) do
      if call('EXISTS', P .. 'e:' .. id) == 1 then
        many('ZREM', name, stale)
        return true
      end
      push(stale, id)
    end
    if #stale == 0 then
      return false
    end
    many('ZREM', name, stale)
  end
end

-- Take what expired before a sweeper came out of the orders.
local function prune(ids)
  if #ids == 0 then
    return
  end
  many('ZREM', P .. 'ageing', ids)
  many('ZREM', P .. 'dead', ids)
  for status in pairs(FINISHED) do
    many('ZREM', P .. 'i:s:' .. status, ids)
  end
  for kind, names in pairs({ ['i:g:'] = 'i:targets', ['i:o:'] = 'i:topics' }) do
    for _, name in ipairs(call('SMEMBERS', P .. names)) do
      if not prune_index(P .. kind .. name) then
        call('SREM', P .. names, name)
      end
    end
  end
end

local function keep_lines(id, m, lines)
  local list, blobs = P .. 'l:' .. id, {}
  local last = m.lines or 0
  for i, line in ipairs(lines) do
    blobs[i] = '\146' .. encode(last + i) .. line -- an array of two: position, line
  end
  many('RPUSH', list, blobs)
  call('LTRIM', list, -LINES, -1)
  m.lines = last + #lines
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
