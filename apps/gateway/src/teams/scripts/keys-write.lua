-- Writes keys, if nothing changed since somebody looked. KEYS: numbers, records, state; ARGV: the epoch and the last number
-- that were seen, the epoch of a store that has none, the channel to tell, then of each key: its hash, its record ('' = it goes).
-- Returns the last number now; 0 = something had changed, and nothing was written.
local epoch = redis.call('HGET', KEYS[3], 'epoch') or ''
local top = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local last = math.max(tonumber(redis.call('HGET', KEYS[3], 'last') or '0'), tonumber(top[2] or '0'))
if epoch ~= ARGV[1] or last ~= tonumber(ARGV[2]) then return 0 end
if epoch == '' then redis.call('HSET', KEYS[3], 'epoch', ARGV[3]) end
for i = 5, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[2], ARGV[i])
    redis.call('ZREM', KEYS[1], ARGV[i])
  else
    last = last + 1
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
    redis.call('ZADD', KEYS[1], last, ARGV[i])
  end
end
redis.call('HSET', KEYS[3], 'last', last)
redis.call('PUBLISH', ARGV[4], last)
return last
