#!lua flags=allow-oom
-- List what came back from an archive, may still be there too, and stays live for a while. GIVEN: {limit, for_ms}. Returns {id, ...}.
local found, gone = {}, {}
for _, id in ipairs(call('SRANDMEMBER', P .. 'restored', LOOK)) do
  local m = read(id)
  if not m then
    push(gone, id)
  elseif #found < GIVEN[1] then
    local archive_at = tonumber(call('ZSCORE', P .. 'ageing', id))
    if not FINISHED[m.status] or archive_at and archive_at > NOW + GIVEN[2] then
      push(found, id)
    end
  end
end
many('SREM', P .. 'restored', gone)
return found
