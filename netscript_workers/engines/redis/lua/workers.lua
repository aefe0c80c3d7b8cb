#!lua flags=no-writes
-- List the workers seen within GIVEN[1] ms. Returns {last_seen_at, what it says}, ....
local answer = {}
for _, said in ipairs(call('HVALS', P .. 'workers')) do
  local one = decode(said)
  if one[1] >= NOW - GIVEN[1] then
    push(answer, one)
  end
end
return answer
