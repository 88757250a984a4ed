-- Puts off the end of leases. What was lost with a restart, or reaped while its gateway could not be heard, is held again.
-- KEYS: leases, holds. ARGV: the lease in ms, what the marks of ended reservations begin with, then ids and lines by turns.
reap(KEYS[1], KEYS[2], 1000)
local ends = whole(now + tonumber(ARGV[1]))
for at = 3, #ARGV, 2 do
  local id, lines = ARGV[at], ARGV[at + 1]
  local lost = redis.call('HSETNX', KEYS[2], id, lines) == 1
  if lost and redis.call('EXISTS', ARGV[2] .. id) == 1 then
    redis.call('HDEL', KEYS[2], id)
  else
    if lost then each_hold(lines, hold) end
    redis.call('ZADD', KEYS[1], ends, id)
  end
end
return 1
