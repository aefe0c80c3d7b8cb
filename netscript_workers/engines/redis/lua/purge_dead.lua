#!lua flags=allow-oom
-- Delete dead letters. GIVEN: {{id, ...}, {garbage id, ...}}. Returns how many.
local count_gone = 0
for _, id in ipairs(GIVEN[1]) do
  local m = read(id)
  if m and DEAD[m.status] then
    remove(id, m)
    count_gone = count_gone + 1
  end
end
for _, id in ipairs(GIVEN[2]) do
  count_gone = count_gone + call('ZREM', P .. 'garbage', id)
  call('DEL', P .. 'r:' .. id)
end
return count_gone
