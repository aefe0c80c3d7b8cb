#!lua flags=no-writes
-- Read what was no execution of ours, the latest first, a stretch at a time. GIVEN: {limit, from, only_ids}. Returns
-- {{id, failed_at, reason, raw}, ...}, of the last two nothing when only ids are asked for.
local answer = {}
local flat = call('ZREVRANGE', P .. 'garbage', GIVEN[2], GIVEN[2] + GIVEN[1] - 1, 'WITHSCORES')
for i = 1, #flat, 2 do
  local kept = GIVEN[3] and {} or call('HMGET', P .. 'raw', flat[i], 'why:' .. flat[i])
  push(answer, { flat[i], tonumber(flat[i + 1]), kept[2] or '', kept[1] or '' })
end
return answer
