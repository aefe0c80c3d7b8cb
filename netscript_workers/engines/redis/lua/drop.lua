#!lua flags=allow-oom
-- Remove finished executions, save those run again since (another token) and those restored since (another archive_at).
-- GIVEN: {id, token, archive_at}, .... Returns how many.
local gone = 0
for _, one in ipairs(GIVEN) do
  local m = read(one[1])
  local archive_at = tonumber(call('ZSCORE', P .. 'ageing', one[1]))
  if m and FINISHED[m.status] and (m.token or m.folded or 0) == one[2] and archive_at == one[3] then
    remove(one[1], m)
    gone = gone + 1
  end
end
return gone
