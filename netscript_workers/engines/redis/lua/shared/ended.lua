-- The end of an execution, and what becomes of its record.

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

-- How long an order of what has ended must stay: no record that has ended lives longer.
local function longest()
  local last = call('ZREVRANGE', P .. 'ageing', 0, 0, 'WITHSCORES')[2]
  return math.max(tonumber(last) or NOW, NOW) - NOW + GRACE
end

-- Indexes whose last living execution has ended expire by themselves. `by_index` says how many of each have ended.
local function let_indexes_expire(by_index, ms)
  local living = P .. 'living'
  for index, ended in pairs(by_index) do
    if call('HINCRBY', living, index, -ended) <= 0 then
      call('HDEL', living, index)
      call('PEXPIRE', P .. 'i:' .. index, ms)
    end
  end
  if call('EXISTS', living) == 0 then
    call('PEXPIRE', P .. 'i:targets', ms)
    call('PEXPIRE', P .. 'i:topics', ms)
  end
end

-- Collects what ends in one batch; `finish` adds to it, `flush_ends` writes the orders of what has ended.
local function new_ends()
  return { ids = {}, ageing = {}, dead = {}, status = {}, times = {}, by_index = {} }
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
  add(ends.by_index, 'g:' .. m.target, 1)
  add(ends.by_index, 'o:' .. m.topic, 1)
  if m.correlation_id then
    add(ends.by_index, 'c:' .. m.correlation_id, 1)
  end
  m.delete_at = NOW + keep_ms + archive_ms
  m.ended = m.idempotency_key and NOW or nil -- completed_at is told by the worker's host
  m.due_at = nil
  m.cancel = nil
  write(id, m, words)
  expire(id, m, keep_ms + GRACE)
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
  local ms = longest()
  for status, flat in pairs(ends.status) do
    many('ZADD', P .. 'i:s:' .. status, flat)
    call('PEXPIRE', P .. 'i:s:' .. status, ms)
  end
  many('ZADD', P .. 'dead', ends.dead)
  call('PEXPIRE', P .. 'ageing', ms)
  call('PEXPIRE', P .. 'dead', ms)
  let_indexes_expire(ends.by_index, ms)
end

-- Tell who waits for what has ended: the last that a script does.
local function tell_ends(ends)
  local names = {}
  for n, id in ipairs(ends.ids) do
    names[n] = string.char(#id) .. id
  end
  if #names > 0 then
    publish('end', table.concat(names))
  end
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
  call('SREM', P .. 'restored', id)
  call('DEL', P .. 'e:' .. id, P .. 'l:' .. id, P .. 'x:' .. id)
end

-- A record that expired cannot say which indexes name it: look at the oldest of each, at some more than one look finds expired. False
-- when nothing is left.
local function prune_index(name)
  for _ = 1, LOOK / 50 do
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
  return true
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
