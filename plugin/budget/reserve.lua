-- Reserves amounts of budgets, all or none: one key and six arguments for each, the
-- window in ms, the limit, the amount, 1 if the limit must hold, and the window and
-- the use that the node knows of.
--
-- A key is a hash: the number of a window (w) by the clock of this server, what is used
-- in it (u), and the last settlement of each node (see settle.lua). Where there is no
-- key, this server has lost it or never had it: what the node knows counts.
--
-- Answers with the place of the budget that does not have the amount left, 0 for none,
-- and for each budget the window, its use and the ms until it ends.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local over = 0
local has, windows, used = {}, {}, {}

for i, key in ipairs(KEYS) do
	local at = 6 * (i - 1)
	local size, limit, amount = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
	local old = redis.call('HMGET', key, 'w', 'u')
	local w = math.floor(now / size)
	has[i] = tonumber(old[1] or -1)
	windows[i], used[i] = w, 0
	if has[i] >= w then
		windows[i], used[i] = has[i], tonumber(old[2])
	elseif has[i] < 0 and tonumber(ARGV[at + 5]) == w then
		used[i] = tonumber(ARGV[at + 6])
	end
	if ARGV[at + 4] == '1' and over == 0 and used[i] + amount > limit then over = i end
end

local out = { over }
for i, key in ipairs(KEYS) do
	local at = 6 * (i - 1)
	local size = tonumber(ARGV[at + 1])
	if over == 0 then
		used[i] = used[i] + tonumber(ARGV[at + 3])
		if has[i] ~= windows[i] then redis.call('DEL', key) end
		redis.call('HSET', key, 'w', string.format('%.0f', windows[i]), 'u', string.format('%.0f', used[i]))
		redis.call('PEXPIRE', key, string.format('%.0f', 2 * size))
	end
	out[#out + 1] = string.format('%.0f', windows[i])
	out[#out + 1] = string.format('%.0f', used[i])
	out[#out + 1] = string.format('%.0f', (windows[i] + 1) * size - now)
end
return out
