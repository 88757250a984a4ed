-- What all scripts begin with: the time, and the three ways to count. `key` is a quota's key.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Lua writes large numbers with 14 digits; counts have up to 16.
local function whole(number)
  return string.format('%.0f', number)
end

-- A window is a ring of slots, each a hundredth of its length, in a hash: the counts by the slot's place in the ring,
-- `n` the newest slot that was counted in, `t` the total. What is counted leaves with its slot, at most 1 % too late.
local SIZE = 101

-- Takes what slots counted a whole turn ago out of the total; gives their places.
local function leave_window(window, first, last)
  local gone = {}
  for passed = first, last do
    gone[#gone + 1] = passed % SIZE
  end
  for _, count in ipairs(redis.call('HMGET', window.key, unpack(gone))) do
    if count then window.total = window.total - tonumber(count) end
  end
  return gone
end

-- The window as it is now; nothing is written. `here` is what its newest slot counts, `gone` are the other places whose
-- counts have left it since it was written.
local function open_window(key, ms)
  local width = ms / 100
  local slot = math.floor(now / width)
  local window = { key = key, ms = ms, width = width, slot = slot, total = 0, here = 0 }
  local known = redis.call('HMGET', key, 'n', 't', slot % SIZE)
  local newest = tonumber(known[1])
  if not newest then return window end
  -- A clock that went back by a whole window is another machine's: what its predecessor counted says nothing.
  if math.abs(slot - newest) >= SIZE then
    window.stale = true
    return window
  end
  window.newest = newest
  window.total = tonumber(known[2])
  local here = tonumber(known[3]) or 0
  if slot == newest then
    window.here = here
  elseif slot < newest then
    window.slot = newest
    window.here = tonumber(redis.call('HGET', key, newest % SIZE)) or 0
  else
    window.total = window.total - here
    if slot - newest > 1 then window.gone = leave_window(window, newest + 1, slot - 1) end
  end
  return window
end

local function leaves_in(window, slot)
  return math.max(1, math.ceil((slot + SIZE) * window.width - now))
end

-- The only walk over a whole window: when a client has to be told how long to wait.
local function window_wait(window, amount, limit)
  local excess = window.total + amount - limit
  if excess <= 0 then return 0 end
  if window.newest then
    local counts = {}
    local fields = redis.call('HGETALL', window.key)
    for at = 1, #fields, 2 do
      local place = tonumber(fields[at])
      if place then counts[place] = fields[at + 1] end
    end
    for slot = window.slot - SIZE + 1, window.newest do
      local count = counts[slot % SIZE]
      if count then
        excess = excess - count
        if excess <= 0 then return leaves_in(window, slot) end
      end
    end
  end
  return leaves_in(window, window.slot)
end

local function count_in_window(window, amount)
  if amount == 0 then return end
  local key, slot = window.key, window.slot
  if window.stale then redis.call('DEL', key) end
  if window.gone then redis.call('HDEL', key, unpack(window.gone)) end
  window.here = window.here + amount
  window.total = window.total + amount
  redis.call('HSET', key, 'n', whole(slot), 't', whole(window.total), slot % SIZE, whole(window.here))
  if slot ~= window.newest then redis.call('PEXPIRE', key, whole(2 * window.ms + 60000)) end
  window.newest = slot
end

-- What was counted at the time `at` is so much more, or less. When it has left the window, more counts from now on, and less
-- changes nothing.
local function correct_window(key, ms, at, difference)
  if difference == 0 then return end
  local width = ms / 100
  local slot = math.floor(at / width)
  local known = redis.call('HMGET', key, 'n', 't', slot % SIZE)
  local newest, count = tonumber(known[1]), tonumber(known[3]) or 0
  local there = newest and slot <= newest and newest - slot < SIZE and math.floor(now / width) - slot < SIZE
  if there then
    local change = math.max(difference, -count)
    local total, rest = tonumber(known[2]) + change, difference - change
    redis.call('HSET', key, 't', whole(total), slot % SIZE, whole(count + change))
    -- What was admitted without Redis was counted here a moment after the time that it goes by: in the next slot, perhaps.
    if rest < 0 and slot < newest then
      local next = tonumber(redis.call('HGET', key, (slot + 1) % SIZE)) or 0
      local back = math.max(rest, -next)
      if back < 0 then redis.call('HSET', key, 't', whole(total + back), (slot + 1) % SIZE, whole(next + back)) end
    end
  elseif difference > 0 then
    count_in_window(open_window(key, ms), difference)
  end
end

-- Days since 1970 of the first day of a month: a year is taken to begin in March, so that its leap day is its last.
local function first_of_month(year, month)
  if month <= 2 then year = year - 1 end
  local era = math.floor(year / 400)
  local year_of_era = year - era * 400
  local day_of_year = math.floor((153 * ((month + 9) % 12) + 2) / 5)
  local day_of_era = year_of_era * 365 + math.floor(year_of_era / 4) - math.floor(year_of_era / 100) + day_of_year
  return era * 146097 + day_of_era - 719468
end

local function month_after(day)
  local days = day + 719468
  local era = math.floor(days / 146097)
  local day_of_era = days - era * 146097
  local year_of_era = math.floor((day_of_era - math.floor(day_of_era / 1460) + math.floor(day_of_era / 36524)
    - math.floor(day_of_era / 146096)) / 365)
  local day_of_year = day_of_era - (365 * year_of_era + math.floor(year_of_era / 4) - math.floor(year_of_era / 100))
  local from_march = math.floor((5 * day_of_year + 2) / 153)
  local month = (from_march + 2) % 12 + 1
  local year = year_of_era + era * 400
  if month <= 2 then year = year + 1 end
  if month == 12 then return first_of_month(year + 1, 1) end
  return first_of_month(year, month + 1)
end

-- When the calendar period ends that it is now, by UTC; a week begins on Monday.
local function period_end(every)
  local day = math.floor(now / 86400000)
  if every == 'day' then
    day = day + 1
  elseif every == 'week' then
    day = day - (day + 3) % 7 + 7
  else
    day = month_after(day)
  end
  return day * 86400000
end

-- A period is a hash: `p` when it ends, `u` what was used, `h` what is held, which goes over into the next one.
local function open_period(key, every)
  local known = redis.call('HMGET', key, 'p', 'u', 'h')
  local period = { key = key, ends = tonumber(known[1]), used = tonumber(known[2]) or 0, held = tonumber(known[3]) or 0 }
  if not period.ends or now >= period.ends then
    period.ends = period_end(every)
    period.used = 0
    period.new = true
  end
  return period
end

local function period_wait(period, amount, limit)
  if period.used + period.held + amount <= limit then return 0 end
  if period.used + amount > limit then return math.max(1, period.ends - now) end
  return -1
end

local function charge_period(period, amount)
  redis.call('HSET', period.key, 'p', whole(period.ends), 'u', whole(period.used + amount))
  if period.new then redis.call('PEXPIRE', period.key, whole(period.ends - now + 172800000)) end
end

-- Holds last as long as their lease: `leases` has the time each ends, `holds` what it holds, a line for each quota
-- (`h` for slots, `p` for a period; the amount; the quota's key).
local function hold(kind, key, amount)
  if kind == 'p' then
    redis.call('HINCRBY', key, 'h', amount)
  else
    redis.call('INCRBY', key, amount)
  end
end

local function let_go(kind, key, amount)
  if kind == 'p' then
    if redis.call('HINCRBY', key, 'h', '-' .. amount) <= 0 then redis.call('HDEL', key, 'h') end
  elseif redis.call('DECRBY', key, amount) <= 0 then
    redis.call('DEL', key)
  end
end

local function each_hold(lines, act)
  for kind, amount, key in string.gmatch(lines, '(%a) (%d+) ([^\n]+)') do
    act(kind, key, amount)
  end
end

-- Gives back what was held under leases that are over, at most `most` of them.
local function reap(leases, holds, most)
  local ids = redis.call('ZRANGEBYSCORE', leases, '-inf', whole(now), 'LIMIT', 0, most)
  if #ids == 0 then return end
  for _, id in ipairs(ids) do
    local lines = redis.call('HGET', holds, id)
    if lines then each_hold(lines, let_go) end
  end
  redis.call('HDEL', holds, unpack(ids))
  redis.call('ZREM', leases, unpack(ids))
end
