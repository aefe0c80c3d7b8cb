-- Commands in batches, and how executions are read and written.

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

-- Where nothing runs, nothing is counted: the records of some runs were lost with a server that had not written them down, or thrown away.
local function recount()
  if call('EXISTS', P .. 'leases') == 0 then
    call('DEL', P .. 'running')
  end
end

-- What stands in i is seen in m, and not written with it.
local function with_fixed(m, i)
  local fixed = { seq = i[1], priority = i[2], target = i[3], topic = i[4], correlation_id = i[5], idempotency_key = i[6] }
  return setmetatable(m, { __index = fixed })
end

local function read(id)
  local h = call('HMGET', P .. 'e:' .. id, 'm', 'i')
  return h[1] and with_fixed(decode(h[1]), decode(h[2]))
end

local function write(id, m, words)
  if words then
    call('HSET', P .. 'e:' .. id, 'm', encode(m), 'f', words)
  else
    call('HSET', P .. 'e:' .. id, 'm', encode(m))
  end
end

-- A bell is a hint: one that cannot be rung must not end a script in the middle of its writes.
local function publish(channel, text)
  redis.pcall('PUBLISH', P .. channel, text)
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

-- Put living executions into the indexes that name them from their beginning, which from now on do not expire. `by_index` maps the
-- name of each, without the i: it begins with, to {place, id, ...}.
local function index_all(by_index)
  for index, flat in pairs(by_index) do
    local name = P .. 'i:' .. index
    many('ZADD', name, flat)
    call('PERSIST', name)
    call('HINCRBY', P .. 'living', index, #flat / 2)
    local kind = index:sub(1, 2)
    if kind ~= 'c:' then
      call('SADD', P .. (kind == 'g:' and 'i:targets' or 'i:topics'), index:sub(3))
    end
  end
  call('PERSIST', P .. 'i:targets')
  call('PERSIST', P .. 'i:topics')
end

local function to_index(by_index, id, m)
  push2(group(by_index, 'g:' .. m.target), m.seq, id)
  push2(group(by_index, 'o:' .. m.topic), m.seq, id)
  if m.correlation_id then
    push2(group(by_index, 'c:' .. m.correlation_id), m.seq, id)
  end
end

local function rank(m)
  return text((100 - m.priority) * SPAN + tonumber(m.seq))
end
