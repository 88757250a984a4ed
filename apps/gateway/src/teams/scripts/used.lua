-- What counts against quotas now, with what is held; nothing is written.
-- KEYS: one of each quota. ARGV: for each its kind and its span.
local used = {}
for at, key in ipairs(KEYS) do
  local kind, span = ARGV[at * 2 - 1], ARGV[at * 2]
  if kind == 'w' then
    used[at] = open_window(key, tonumber(span)).total
  elseif kind == 'p' then
    local period = open_period(key, span)
    used[at] = period.used + period.held
  else
    used[at] = tonumber(redis.call('GET', key)) or 0
  end
end
return used
