-- Says that a replica is there, and hears who else is.
-- KEYS: the replicas, the epoch. ARGV: the replica's id, for how long it counts (ms), 1 when all that it admitted by
-- itself is counted here, a name for the epoch if there is none: data without one is new.
-- Gives { the epoch, now, and for each replica its id, when it was heard and its 1 or 0 }.
local replicas, id, ttl = KEYS[1], ARGV[1], tonumber(ARGV[2])
redis.call('HSET', replicas, id, whole(now) .. ' ' .. ARGV[3])
redis.call('PEXPIRE', replicas, whole(10 * ttl))
redis.call('SET', KEYS[2], ARGV[4], 'NX')
local reply = { redis.call('GET', KEYS[2]), now }
local known = redis.call('HGETALL', replicas)
for at = 1, #known, 2 do
  local heard, counted = string.match(known[at + 1], '^(%d+) (%d)$')
  heard = tonumber(heard)
  -- A clock that was set back leaves times that have not come yet.
  if not heard or now - heard > ttl or heard - now > ttl then
    redis.call('HDEL', replicas, known[at])
  else
    reply[#reply + 1] = known[at]
    reply[#reply + 1] = heard
    reply[#reply + 1] = tonumber(counted)
  end
end
return reply
