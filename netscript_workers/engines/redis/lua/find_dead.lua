#!lua flags=no-writes
-- Find dead letters, the latest failure first, a stretch at a time. GIVEN: {target, topic, limit, from, only_ids}: false for what does not
-- matter; `from` is the place to go on from. Returns {the place to go on from, or -1 at the end; {record or id, ...}}.
local target, topic, limit, at = GIVEN[1], GIVEN[2], GIVEN[3], GIVEN[4]
local found = {}
local ids = call('ZREVRANGE', P .. 'dead', at, at + 499)
for _, id in ipairs(ids) do
  local m = #found < limit and read(id)
  if m and DEAD[m.status] and (not target or m.target == target) and (not topic or m.topic == topic) then
    push(found, GIVEN[5] and id or record(id))
  end
end
return { #ids == 500 and at + 500 or -1, found } -- who asked has had enough once it has its limit
