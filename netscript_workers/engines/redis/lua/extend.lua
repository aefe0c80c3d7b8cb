#!lua flags=allow-oom
-- Renew leases. GIVEN: {lease_ms, {{id, token}, ...}}. Returns the ids whose claim is not the live one any more.
local lost, leases = {}, {}
for _, claim in ipairs(GIVEN[2]) do
  local m = read(claim[1])
  if m and m.status == 'running' and m.token == claim[2] then
    push2(leases, REAL + GIVEN[1], claim[1])
  else
    push(lost, claim[1])
  end
end
many('ZADD', P .. 'leases', leases)
return lost
