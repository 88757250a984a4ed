-- Runs reservations and ends of reservations one after the other, in one call. KEYS: those of all of them. ARGV: of each
-- `r` or `s`, how many keys and how many arguments it has, then its arguments. Gives the reply of each.
local replies = {}
local key, arg = 1, 1
while arg <= #ARGV do
  local run = ARGV[arg] == 'r' and reserve or settle
  local last_key = key + tonumber(ARGV[arg + 1]) - 1
  local last_arg = arg + 2 + tonumber(ARGV[arg + 2])
  replies[#replies + 1] = run({ unpack(KEYS, key, last_key) }, { unpack(ARGV, arg + 3, last_arg) })
  key, arg = last_key + 1, last_arg + 1
end
return replies
