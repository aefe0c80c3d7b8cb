#!lua
-- Put finished records back as live ones, for ARGV[3] ms at least. GIVEN: {id, archive_at, what changes (a map), words, attempts: first, many, lines: first, many, progress}
-- and {priority, target, topic, correlation id, idempotency key}
-- for each; ARGV[3 + n] is what never changes of the n-th, the rest are places in ARGV. No record leaves for an archive before its
-- idempotency key is free, so none comes back with it.
local SAFE = NOW + tonumber(ARGV[3])
for n, one in ipairs(GIVEN) do
  local id, m = one[1], one[3]
  if call('EXISTS', P .. 'e:' .. id) == 0 then
    local i, seq = one[10], m.triggered_at * 32 -- about where it stood: one place is given to one execution only
    while call('ZCOUNT', P .. 'i:o:' .. i[3], seq, seq) > 0 do
      seq = seq + 1
    end
    local fixed = { text(seq), i[1], i[2], i[3], i[4], i[5] }
    with_fixed(m, fixed)
    call('HSET', P .. 'e:' .. id, 'b', ARGV[3 + n], 'i', encode(fixed))
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
    local by_index = {}
    to_index(by_index, id, m)
    index_all(by_index) -- as if it lived, until `flush_ends` below
    local archive_at = math.max(one[2], SAFE)
    local ends, delete_at = new_ends(), math.max(m.delete_at, archive_at)
    finish(ends, id, m, math.max(0, archive_at - NOW), 0)
    m.delete_at, m.ended = delete_at, nil
    write(id, m)
    flush_ends(ends)
    call('ZADD', P .. 'ageing', archive_at, id)
    call('SADD', P .. 'restored', id)
    call('PEXPIRE', P .. 'restored', longest())
    tell_ends(ends)
  end
end
return 1
