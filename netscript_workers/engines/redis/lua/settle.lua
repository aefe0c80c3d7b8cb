#!lua flags=allow-oom
-- End attempts. GIVEN: {{id, token, mark, kind, attempt, started_at, completed_at, words, exit_code, peak_memory, cpu_ms, try, first
-- line, lines}, ...}, {{status, max_attempts, delay_ms, keep_ms, archive_ms}, ...}; `kind` is a place in the latter; `words` (error
-- and result), `try` (the record of an attempt that failed) and the lines are places in ARGV. `mark` is the settlement's own number: one that was applied already, but
-- whose answer was lost, is known by it. The keys of a cancelled one live KEYS of the last two numbers. Returns 1 or 0 for each.
local KEEP, ARCHIVE = tonumber(ARGV[3]), tonumber(ARGV[4])
local answers, ends, settled = {}, new_ends(), {}
local adds, due, waiting, pending, targets, lanes, topics = {}, {}, {}, {}, {}, {}, {}

local function apply(s, m)
  local id, kind = s[1], GIVEN[2][s[4]]
  local status = kind[1]
  m.status, m.attempt, m.max_attempts = status, s[5], kind[2]
  m.token, m.mark = s[3], nil
  m.exit_code, m.peak_memory, m.cpu_ms = s[9], s[10], s[11]
  m.words = s[8] and true or nil
  if s[12] then
    call('RPUSH', P .. 'x:' .. id, ARGV[s[12]])
    m.tries = true
  end
  if s[13] then
    keep_lines(id, m, { unpack(ARGV, s[13], s[13] + s[14] - 1) })
  end
  push(settled, id)
  add(targets, m.target, -1)
  add(lanes, m.topic, -1)
  local asked = m.cancel
  if asked then
    call('HDEL', P .. 'asked', id)
  end
  if FINISHED[status] then
    m.started_at = s[6] or m.started_at
    m.completed_at = s[7] or NOW
    finish(ends, id, m, kind[4], kind[5], ARGV[s[8]])
    return
  end
  m.started_at, m.worker_id = nil, nil
  if asked then -- it would go back into the queue although somebody asked to cancel it
    m.status, m.completed_at = 'cancelled', NOW
    finish(ends, id, m, KEEP, ARCHIVE, ARGV[s[8]])
    return
  end
  m.mark = s[3]
  topics[m.topic] = true
  if status == 'pending' then
    m.due_at = NOW + kind[3]
    push2(due, m.due_at, id)
    push2(waiting, m.seq, id)
    add(pending, m.topic, 1)
  else
    to_queue(adds, id, m)
  end
  write(id, m, ARGV[s[8]])
end

for n, s in ipairs(GIVEN[1]) do
  local m = read(s[1])
  if m and m.status == 'running' and m.token == s[2] then
    apply(s, m)
    answers[n] = 1
  else
    answers[n] = m and (m.token == s[3] or m.mark == s[3]) and 1 or 0
  end
end
many('ZREM', P .. 'leases', settled)
count_running(targets, lanes)
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
tell_ends(ends)
ring(topics)
return answers
