-- Says which keys changed after a number. KEYS: numbers, records, state; ARGV: that number, and how many keys at most.
-- Returns the epoch ('' = there are no keys yet), the last number, then of each key: its hash, its number, its record.
local epoch = redis.call('HGET', KEYS[3], 'epoch') or ''
local top = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local last = math.max(tonumber(redis.call('HGET', KEYS[3], 'last') or '0'), tonumber(top[2] or '0'))
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])
local answer = { epoch, tostring(last) }
for i = 1, #found, 2 do
  answer[#answer + 1] = found[i]
  answer[#answer + 1] = found[i + 1]
  answer[#answer + 1] = redis.call('HGET', KEYS[2], found[i]) or ''
end
return answer
