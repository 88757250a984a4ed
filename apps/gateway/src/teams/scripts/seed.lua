-- Counts what was used while Redis could not be asked, once: a second run with the same mark does nothing.
-- KEYS: the mark, one of each quota. ARGV: how long the mark is kept (ms), then for each quota its kind (w, p), its span
-- and the amount. Gives 1, or 0 for a second run.
if not redis.call('SET', KEYS[1], '1', 'PX', ARGV[1], 'NX') then return 0 end
for at = 2, #KEYS do
  local base = 1 + (at - 2) * 3
  local key, kind, span, amount = KEYS[at], ARGV[base + 1], ARGV[base + 2], tonumber(ARGV[base + 3])
  if kind == 'w' then
    count_in_window(open_window(key, tonumber(span)), amount)
  elseif kind == 'p' then
    charge_period(open_period(key, span), amount)
  end
end
return 1
