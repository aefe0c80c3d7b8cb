#!lua flags=allow-oom
-- Take over what runs under a lease that has run out. GIVEN: {token, lease_ms, limit, {{id, token}, ...}}: the caller's own claims are
-- left alone. Returns their records.
local own = {}
for _, claim in ipairs(GIVEN[4]) do
  own[claim[1]] = claim[2]
end
local records, leases, gone = {}, {}, {}
local ids = call('ZRANGEBYSCORE', P .. 'leases', '-inf', REAL - 1, 'LIMIT', 0, GIVEN[3] + #GIVEN[4])
for _, id in ipairs(ids) do
  local m = read(id)
  if not m or m.status ~= 'running' then
    push(gone, id) -- its record was lost with a server that had not written it down
  elseif own[id] ~= m.token and #records < GIVEN[3] then
    m.token = GIVEN[1] + #records
    write(id, m)
    if m.cancel then
      call('HSET', P .. 'asked', id, m.token)
    end
    push2(leases, REAL + GIVEN[2], id)
    push(records, record(id))
  end
end
many('ZREM', P .. 'leases', gone)
many('ZADD', P .. 'leases', leases)
return records
