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

-- What an index by correlation id names may live on: it expires with the last of them, and no sooner than the latest that ended.
local function let_correlation_expire(correlation, ms)
  if call('HINCRBY', P .. 'living', correlation, -1) > 0 then
    return
  end
  call('HDEL', P .. 'living', correlation)
  local name = P .. 'i:c:' .. correlation
  for _, id in ipairs(call('ZREVRANGE', name, 0, 15)) do
    ms = math.max(ms, call('PTTL', P .. 'e:' .. id))
  end
  call('PEXPIRE', name, ms)
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
    let_correlation_expire(m.correlation_id, keep_ms + GRACE)
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
