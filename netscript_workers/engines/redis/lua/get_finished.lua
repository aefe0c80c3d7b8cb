#!lua flags=no-writes
-- Read the records of those that have ended. GIVEN: {id, ...}.
local records = {}
for _, id in ipairs(GIVEN) do
  local m = read(id)
  if m and FINISHED[m.status] then
    push(records, record(id))
  end
end
return records
