-- What every script begins with. Behind it come those functions of the other files here that it uses. The keys:
--
--   e:<id>            hash, one execution: b what never changes (msgpack map, written by the client), m what changes (msgpack map,
--                     written here), f error and result, p progress: made one map they are the record. i is what scripts must know of
--                     b: {place, priority, target, topic, correlation id, idempotency key}
--   x:<id>, l:<id>    lists: the attempts that failed, the last log lines
--   q:<topic>:<target>  what is queued, by rank (priority, then age)     t:<topic>  its targets     topics  the topics
--   due, leases       what waits for its time, by it; what runs, by the end of its lease
--   running, pending  counts by target (g:) and topic (o:); by topic
--   held              targets that a limit held back          asked     id to token of runs asked to stop
--   k:<target>:<key>  who holds an idempotency key            paused    topics
--   i:g: i:o: i:c: i:s:  what there is by target, topic, correlation id and status, by age    i:targets, i:topics  their names
--   living            how many of each of i:g: i:o: i:c: have not ended: while there are any, that index does not expire
--   ageing, dead      what has ended, by the end of its live age; dead letters, by the time of their failure
--   garbage, r:<id>   what was no execution of ours     workers   what they say of themselves     seq   the last place given
--   restored          what came back from an archive and may still be there too
--   ticks             how far each schedule is: the latest tick that was enqueued
--   c:<engine>        the last claim of an engine, for as long as its answer may be asked for again
--
-- ARGV[1] is the time of records and due times in ms, empty for the server's. ARGV[2] is the batch, as msgpack.
local P = KEYS[1] .. ':'
local call = redis.call
local decode, encode = cmsgpack.unpack, cmsgpack.pack
local clock = call('TIME')
local REAL = clock[1] * 1000 + math.floor(clock[2] / 1000)
local NOW = tonumber(ARGV[1]) or REAL
local GIVEN = ARGV[2] and decode(ARGV[2])
local SPAN = 70368744177664 -- 2^46: a rank is (100 - priority) * SPAN + place
local DAY = 86400000
local GRACE = 7 * DAY -- a finished record outlives its live age by this, so that a late sweeper still finds it
local KEY_HOLDS = DAY
local GARBAGE_KEPT = 97 * DAY -- as long as what was cancelled while it waited: live and archived
local LINES = 1000
local LOOK = 2000 -- so many records one script looks at: others want the server too
local FINISHED = { completed = true, failed = true, timeout = true, cancelled = true }
local DEAD = { failed = true, timeout = true }
