#!lua flags=allow-oom
-- Write what runs report. GIVEN: {id, token, progress, first line, lines} for each: places in ARGV.
for _, entry in ipairs(GIVEN) do
  local id = entry[1]
  local m = read(id)
  if m and m.status == 'running' and m.token == entry[2] then
    local before_lines, before_said = m.lines, m.said
    if entry[3] then
      call('HSET', P .. 'e:' .. id, 'p', ARGV[entry[3]])
      m.said = true
    end
    if entry[4] then
      keep_lines(id, m, { unpack(ARGV, entry[4], entry[4] + entry[5] - 1) })
    end
    if m.lines ~= before_lines or m.said ~= before_said then
      write(id, m)
    end
  end
end
return 1
