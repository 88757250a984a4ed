-- Writes entries of one replica into a day's stream, each once, however often it is sent: the mark has the number of the
-- last one that was written. KEYS: the mark, the stream. ARGV: how long the mark is kept (ms), when the stream goes (ms
-- since 1970), the number of the first entry, the names of an entry's fields, and what they hold, entry by entry; of both
-- each ends with a line break. Gives how many were written.
local fields = {}
for name in string.gmatch(ARGV[4], '([^\n]*)\n') do
  fields[#fields + 1] = name
  fields[#fields + 1] = ''
end
local mark = tonumber(redis.call('GET', KEYS[1])) or 0
local number, written, at = tonumber(ARGV[3]), 0, 0
for value in string.gmatch(ARGV[5], '([^\n]*)\n') do
  at = at + 2
  fields[at] = value
  if at == #fields then
    if number > mark then
      redis.call('XADD', KEYS[2], '*', unpack(fields))
      written = written + 1
    end
    number, at = number + 1, 0
  end
end
if written > 0 then
  redis.call('PEXPIREAT', KEYS[2], ARGV[2])
  redis.call('SET', KEYS[1], string.format('%.0f', number - 1), 'PX', ARGV[1])
end
return written
