#!lua
-- Put finished executions back, attempts anew. GIVEN: {id, ...}. Returns 1 or 0 for each.
local answers, adds, topics, by_index = {}, {}, {}, {}

-- The attempt that succeeded is told by the record itself; from now on it stands with the others.
local function keep_success(id, m)
  local done = { attempt = m.attempt, worker_id = m.worker_id, started_at = m.started_at, completed_at = m.completed_at }
  done.exit_code, done.peak_memory, done.cpu_ms = m.exit_code, m.peak_memory, m.cpu_ms
  call('RPUSH', P .. 'x:' .. id, encode(done))
  m.tries = true
end

for n, id in ipairs(GIVEN) do
  local m = read(id)
  local ended = m and FINISHED[m.status]
  answers[n] = ended and 1 or 0
  if ended then
    unfinish(id, m)
    if m.status == 'completed' then
      keep_success(id, m)
    end
    m.status, m.triggered_by, m.attempt, m.token, m.mark, m.folded = 'queued', 'retry', 0, 0, nil, nil
    m.started_at, m.completed_at, m.delete_at, m.ended, m.worker_id = nil, nil, nil, nil, nil
    m.exit_code, m.peak_memory, m.cpu_ms, m.words, m.said = nil, nil, nil, nil, nil
    call('HDEL', P .. 'e:' .. id, 'f', 'p')
    write(id, m)
    for _, kind in ipairs({ 'e:', 'l:', 'x:' }) do
      call('PERSIST', P .. kind .. id)
    end
    to_index(by_index, id, m)
    if m.idempotency_key then
      local name = P .. 'k:' .. m.target .. ':' .. m.idempotency_key
      call('ZADD', name, m.seq, id)
      call('PERSIST', name)
    end
    to_queue(adds, id, m)
    topics[m.topic] = true
  end
end
index_all(by_index)
enqueue(adds)
ring(topics)
return answers
