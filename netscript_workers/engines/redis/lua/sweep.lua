#!lua flags=allow-oom
-- Delete what is past its age in the archive too, and take what has expired by itself out of the orders. GIVEN: {limit, from}: `from` is
-- the place in the order to go on from. Returns {how many records were deleted, the place to go on from, or -1 at the end}.
local gone, deleted, at = {}, 0, GIVEN[2]
recount()
call('ZREMRANGEBYSCORE', P .. 'garbage', '-inf', NOW - GARBAGE_KEPT)
local ids = call('ZRANGEBYSCORE', P .. 'ageing', '-inf', NOW, 'LIMIT', at, LOOK)
for _, id in ipairs(ids) do
  if deleted == GIVEN[1] then
    break
  end
  local m = read(id)
  if not m then
    push(gone, id)
  elseif FINISHED[m.status] and m.delete_at <= NOW then
    remove(id, m)
    deleted = deleted + 1
  else
    at = at + 1
  end
end
prune(gone)
return { deleted, #ids == LOOK and at or -1 }
