-- Reserves everything or nothing.
-- KEYS: leases, holds, one of each quota. ARGV: the reservation's id, the lease in ms, the lines of what it holds (empty =
-- nothing), then for each quota its kind (w, p, h), its span, its limit, the amount and the allowance it bears on (requests, tokens, -).
-- Gives { admitted, now, for requests and for tokens the place of the tightest quota (0 = none), what is left of it and
-- the ms until it is reset } and, when it is refused, the place of the quota that refuses, and the wait (-1 = unknown).
local id, lease_ms, lines = ARGV[1], tonumber(ARGV[2]), ARGV[3]
if lines ~= '' then reap(KEYS[1], KEYS[2], 64) end

local quotas = {}
local refusing, longest = 0, nil
for at = 1, #KEYS - 2 do
  local base = 3 + (at - 1) * 5
  local quota = {
    key = KEYS[at + 2],
    kind = ARGV[base + 1],
    limit = tonumber(ARGV[base + 3]),
    amount = tonumber(ARGV[base + 4]),
    allowance = ARGV[base + 5],
  }
  local wait = 0
  if quota.kind == 'w' then
    quota.window = open_window(quota.key, tonumber(ARGV[base + 2]))
    wait = window_wait(quota.window, quota.amount, quota.limit)
  elseif quota.kind == 'p' then
    quota.period = open_period(quota.key, ARGV[base + 2])
    wait = period_wait(quota.period, quota.amount, quota.limit)
  elseif (tonumber(redis.call('GET', quota.key)) or 0) + quota.amount > quota.limit then
    wait = -1
  end
  if wait ~= 0 and (not longest or wait > longest) then
    refusing, longest = at, wait
  end
  quotas[at] = quota
end

if refusing == 0 then
  for _, quota in ipairs(quotas) do
    if quota.window then
      count_in_window(quota.window, quota.amount)
    else
      if quota.period then quota.period.held = quota.period.held + quota.amount end
      hold(quota.kind, quota.key, whole(quota.amount))
    end
  end
  if lines ~= '' then
    redis.call('ZADD', KEYS[1], whole(now + lease_ms), id)
    redis.call('HSET', KEYS[2], id, lines)
  end
end

local function reset_of(quota)
  local window, period = quota.window, quota.period
  if window then
    return window.total > 0 and leaves_in(window, window.newest) or 0
  end
  return period.used + period.held > 0 and math.max(1, period.ends - now) or 0
end

local reply = { refusing == 0 and 1 or 0, now }
for _, allowance in ipairs({ 'requests', 'tokens' }) do
  local place, least = 0, 0
  for at, quota in ipairs(quotas) do
    if quota.allowance == allowance then
      local used = quota.window and quota.window.total or quota.period.used + quota.period.held
      local left = math.max(0, quota.limit - used)
      if place == 0 or left < least then
        place, least = at, left
      end
    end
  end
  reply[#reply + 1] = place
  reply[#reply + 1] = least
  reply[#reply + 1] = place == 0 and 0 or reset_of(quotas[place])
end
if refusing ~= 0 then
  reply[#reply + 1] = refusing
  reply[#reply + 1] = longest
end
return reply
