#!lua
-- Put finished records back as live ones. GIVEN: {id, archive_at, what changes (a map), words, attempts: first, many, lines: first, many, progress}
-- and {priority, target, topic, correlation id, idempotency key}
-- for each; ARGV[3 + n] is what never changes of the n-th, the rest are places in ARGV.
for n, one in ipairs(GIVEN) do
  local id, m = one[1], one[3]
  if call('EXISTS', P .. 'e:' .. id) == 0 then
    local i, seq = one[10], m.triggered_at * 32 -- about where it stood: one place is given to one execution only
    while call('ZCOUNT', P .. 'i:o:' .. i[3], seq, seq) > 0 do
      seq = seq + 1
    end
    local fixed = { text(seq), i[1], i[2], i[3], i[4], i[5] }
    with_fixed(m, fixed)
    call('HSET', P .. 'e:' .. id, 'b', ARGV[2 + n], 'i', encode(fixed))
    if one[4] then
      call('HSET', P .. 'e:' .. id, 'f', ARGV[one[4]])
      m.words = true
    end
    if one[9] then
      call('HSET', P .. 'e:' .. id, 'p', ARGV[one[9]])
      m.said = true
    end
    if one[6] > 0 then
      many('RPUSH', P .. 'x:' .. id, { unpack(ARGV, one[5], one[5] + one[6] - 1) })
      m.tries = true
    end
    if one[8] > 0 then
      many('RPUSH', P .. 'l:' .. id, { unpack(ARGV, one[7], one[7] + one[8] - 1) })
    end
    call('ZADD', P .. 'i:g:' .. m.target, m.seq, id)
    call('SADD', P .. 'i:targets', m.target)
    call('ZADD', P .. 'i:o:' .. m.topic, m.seq, id)
    call('SADD', P .. 'i:topics', m.topic)
    if m.correlation_id then
      call('ZADD', P .. 'i:c:' .. m.correlation_id, m.seq, id)
      call('HINCRBY', P .. 'living', m.correlation_id, 1) -- until `finish` below
    end
    if m.idempotency_key and m.status == 'completed' and m.completed_at > NOW - KEY_HOLDS then
      call('ZADD', P .. 'k:' .. m.target .. ':' .. m.idempotency_key, m.seq, id)
    end
    local ends, delete_at = new_ends(), m.delete_at
    finish(ends, id, m, math.max(0, one[2] - NOW), math.max(0, delete_at - one[2]))
    m.delete_at = delete_at
    write(id, m)
    flush_ends(ends)
    call('ZADD', P .. 'ageing', one[2], id)
    tell_ends(ends)
  end
end
return 1
