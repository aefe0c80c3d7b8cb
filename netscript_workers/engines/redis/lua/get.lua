#!lua flags=no-writes
-- Read records. GIVEN: {id, ...}. Returns one for each, or nil.
local records = {}
for n, id in ipairs(GIVEN) do
  records[n] = record(id) or false
end
return records
