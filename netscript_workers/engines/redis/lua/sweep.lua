#!lua flags=allow-oom
-- Delete what is past its age in the archive too, and take what has expired by itself out of the orders. GIVEN: {limit}. Returns
-- how many records were deleted.
local gone, deleted, at = {}, 0, 0
while deleted < GIVEN[1] do
  local ids = call('ZRANGEBYSCORE', P .. 'ageing', '-inf', NOW, 'LIMIT', at, GIVEN[1])
  if #ids == 0 then
    break
  end
  for _, id in ipairs(ids) do
    local m = read(id)
    if m and deleted < GIVEN[1] and FINISHED[m.status] and m.delete_at <= NOW then
      remove(id, m)
      deleted = deleted + 1
    else
      at = at + 1
      if not m then
        push(gone, id)
      end
    end
  end
end
prune(gone)
return deleted
