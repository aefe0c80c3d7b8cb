#!lua flags=no-writes
-- Read what was no execution of ours, the latest first, a stretch at a time. GIVEN: {limit, from, only_ids}. Returns
-- {{id, failed_at, reason, raw}, ...}, of the last two nothing when only ids are asked for.
local answer = {}
local from, oldest = GIVEN[2], '(' .. text(NOW - GARBAGE_KEPT)
local flat = call('ZREVRANGEBYSCORE', P .. 'garbage', '+inf', oldest, 'WITHSCORES', 'LIMIT', from, GIVEN[1])
for i = 1, #flat, 2 do
  local kept = GIVEN[3] and {} or call('HMGET', P .. 'r:' .. flat[i], 'raw', 'why')
  push(answer, { flat[i], tonumber(flat[i + 1]), kept[2] or '', kept[1] or '' })
end
return answer
