-- Writes entries of one replica into a day's stream, each once, however often it is sent: the mark has the number of the
-- last one that was written. KEYS: the mark, the stream. ARGV: how long the mark is kept (ms), when the stream goes (ms
-- since 1970), the number of the first entry, how many fields an entry has, their names, then the values of each entry.
-- Gives how many were written.
local first, count = tonumber(ARGV[3]), tonumber(ARGV[4])
local mark = tonumber(redis.call('GET', KEYS[1])) or 0
local written = 0
local entries = (#ARGV - 4 - count) / count
for at = 0, entries - 1 do
  if first + at > mark then
    local fields = {}
    for field = 1, count do
      fields[field * 2 - 1] = ARGV[4 + field]
      fields[field * 2] = ARGV[4 + count * (at + 1) + field]
    end
    redis.call('XADD', KEYS[2], '*', unpack(fields))
    written = written + 1
  end
end
if written > 0 then redis.call('PEXPIREAT', KEYS[2], ARGV[2]) end
if first + entries - 1 > mark then
  redis.call('SET', KEYS[1], string.format('%.0f', first + entries - 1), 'PX', ARGV[1])
end
return written
