-- Ends a reservation, once: a second run with the same id does nothing, and one after its lease was over charges all the same.
-- KEYS: leases, holds, the mark that it has ended, one of each quota. ARGV: the id, when it was reserved (ms), how long the
-- mark is kept (ms), 1 when it holds something, then for each quota its kind, its span, what was taken and what it turned
-- out to be (-1 = it came to nothing). Gives 1, or 0 for a second run.
local id, reserved_at = ARGV[1], tonumber(ARGV[2])
if not redis.call('SET', KEYS[3], '1', 'PX', ARGV[3], 'NX') then return 0 end
local live = false
if ARGV[4] == '1' then
  live = redis.call('HDEL', KEYS[2], id) == 1
  redis.call('ZREM', KEYS[1], id)
end

local function settle_period(key, every, taken, actual)
  if actual > 0 then
    charge_period(open_period(key, every), actual)
  end
  if live and taken > 0 then let_go('p', key, whole(taken)) end
end

for at = 4, #KEYS do
  local base = (at - 3) * 4
  local key, kind, span = KEYS[at], ARGV[base + 1], ARGV[base + 2]
  local taken, actual = tonumber(ARGV[base + 3]), tonumber(ARGV[base + 4])
  if kind == 'w' then
    correct_window(key, tonumber(span), reserved_at, math.max(0, actual) - taken)
  elseif kind == 'p' then
    settle_period(key, span, taken, actual)
  elseif live then
    let_go('h', key, whole(taken))
  end
end

return 1
