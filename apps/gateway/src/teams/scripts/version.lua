-- Says which version the data here has, after giving it ours (ARGV[1]) when it has none. KEYS: the version.
redis.call('SET', KEYS[1], ARGV[1], 'NX')
return redis.call('GET', KEYS[1])
