#!lua flags=no-writes
-- Find those of some dead letters. GIVEN: {target, topic, {id, ...}}: false for what does not matter. Returns {record, ...}.
local target, topic, records = GIVEN[1], GIVEN[2], {}
for _, id in ipairs(GIVEN[3]) do
  local m = read(id)
  if m and DEAD[m.status] and (not target or m.target == target) and (not topic or m.topic == topic) then
    push(records, record(id))
  end
end
return records
