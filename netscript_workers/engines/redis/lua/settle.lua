#!lua flags=allow-oom
-- End attempts. GIVEN: {id, token, mark, status, attempt, max_attempts, delay_ms, started_at, completed_at, keep_ms, archive_ms,
-- exit_code, peak_memory, cpu_ms, words, try, first line, lines} for each; `words` (error and result), `try` (the record of an
-- attempt that failed) and the lines are places in ARGV. `mark` is the settlement's own number: one that was applied already, but
-- whose answer was lost, is known by it. The keys of a cancelled one live KEYS of the last two numbers. Returns 1 or 0 for each.
local KEEP, ARCHIVE = tonumber(ARGV[3]), tonumber(ARGV[4])
local answers, ends, settled = {}, new_ends(), {}
local adds, due, waiting, pending, counts, targets, topics = {}, {}, {}, {}, {}, {}, {}

local function apply(s, m)
  local id, status = s[1], s[4]
  m.status, m.attempt, m.max_attempts = status, s[5], s[6]
  m.token, m.mark = s[3], nil
  m.exit_code, m.peak_memory, m.cpu_ms = s[12], s[13], s[14]
  if s[15] then
    call('HSET', P .. 'e:' .. id, 'f', ARGV[s[15]])
    m.words = true
  end
  if s[16] then
    call('RPUSH', P .. 'x:' .. id, ARGV[s[16]])
    m.tries = true
  end
  if s[17] then
    keep_lines(id, m, { unpack(ARGV, s[17], s[17] + s[18] - 1) })
  end
  push(settled, id)
  add(counts, 'g:' .. m.target, -1)
  add(counts, 'o:' .. m.topic, -1)
  targets[m.target] = true
  local asked = m.cancel
  if asked then
    call('HDEL', P .. 'asked', id)
  end
  if FINISHED[status] then
    m.started_at = s[8] or m.started_at
    m.completed_at = s[9] or NOW
    finish(ends, id, m, s[10], s[11])
    return
  end
  m.started_at, m.worker_id = nil, nil
  if asked then -- it would go back into the queue although somebody asked to cancel it
    m.status, m.completed_at = 'cancelled', NOW
    finish(ends, id, m, KEEP, ARCHIVE)
    return
  end
  m.mark = s[3]
  topics[m.topic] = true
  if status == 'pending' then
    m.due_at = NOW + s[7]
    push(due, m.due_at, id)
    push(waiting, m.seq, id)
    add(pending, m.topic, 1)
  else
    to_queue(adds, id, m)
  end
  write(id, m)
end

for n, s in ipairs(GIVEN) do
  local m = read(s[1])
  if m and m.status == 'running' and m.token == s[2] then
    apply(s, m)
    answers[n] = 1
  else
    answers[n] = m and (m.token == s[3] or m.mark == s[3]) and 1 or 0
  end
end
many('ZREM', P .. 'leases', settled)
count('running', counts)
flush_ends(ends)
many('ZADD', P .. 'due', due)
many('ZADD', P .. 'i:s:pending', waiting)
count('pending', pending)
enqueue(adds)
for _, target in ipairs(call('SMEMBERS', P .. 'held')) do
  if targets[target] then
    topics['*'] = true
  end
end
ring(topics)
return answers
