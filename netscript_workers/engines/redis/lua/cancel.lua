#!lua flags=allow-oom
-- Cancel what waits and ask what runs to stop. GIVEN: {keep_ms, archive_ms, {id, ...}}. Returns the status found for each, or nil.
local found, ends, pending, asked = {}, new_ends(), {}, false
for n, id in ipairs(GIVEN[3]) do
  local m = read(id)
  found[n] = m and m.status or false
  if m and m.status == 'running' then
    m.cancel = true
    write(id, m)
    call('HSET', P .. 'asked', id, m.token)
    asked = true
  elseif m and not FINISHED[m.status] then
    if m.status == 'pending' then
      call('ZREM', P .. 'due', id)
      call('ZREM', P .. 'i:s:pending', id)
      add(pending, m.topic, -1)
    else
      out_of_queue(id, m)
    end
    m.status, m.completed_at = 'cancelled', NOW
    finish(ends, id, m, GIVEN[1], GIVEN[2])
  end
end
count('pending', pending)
flush_ends(ends)
tell_ends(ends)
if asked then
  publish('cancel', '*')
end
return found
