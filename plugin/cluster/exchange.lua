-- Joins what one node tells of a target with what the others have told.
--
-- Counts: the node says on what it last agreed with the others (base) and what
-- came since (delta). Where Redis has less than the base it has lost data, and
-- takes the base for what it had: so nothing is lost for good, and nothing is
-- counted twice when several nodes put it back.
--
-- Times are told as ages in ms and kept by the clock of this server. Of times
-- the latest counts, of averages the one that was taken last.
local k = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local out = {}

local function get(field) return redis.call('HGET', k, field) or '' end

local function count(field, base, delta, format)
	local old = tonumber(get(field)) or 0
	local new = math.max(old, tonumber(base)) + tonumber(delta)
	local text = string.format(format, new)
	if new ~= old then redis.call('HSET', k, field, text) end
	out[#out + 1] = text
	return new
end

count('prompt', ARGV[2], ARGV[3], '%.0f')
count('completion', ARGV[4], ARGV[5], '%.0f')
count('cost', ARGV[6], ARGV[7], '%.17g')
local fails = count('fails', ARGV[8], ARGV[9], '%.0f')

local known = tonumber(ARGV[10])
if ARGV[11] ~= '' then known = math.max(0, fails - tonumber(ARGV[11])) end
count('forgiven', string.format('%.0f', known), 0, '%.0f')

local function age(text) return string.format('%.0f', now - tonumber(text)) end

local function latest(field, told)
	local old = get(field)
	if told ~= '' then
		local at = now - tonumber(told)
		if old == '' or at > tonumber(old) then
			old = string.format('%.0f', at)
			redis.call('HSET', k, field, old)
		end
	end
	out[#out + 1] = old == '' and '' or age(old)
end

latest('last', ARGV[12])
latest('rest', ARGV[13])

local function average(field, value, told)
	local old, at = get(field), get(field .. '_at')
	if told ~= '' and value ~= old and (at == '' or now - tonumber(told) > tonumber(at)) then
		old, at = value, string.format('%.0f', now - tonumber(told))
		redis.call('HSET', k, field, old, field .. '_at', at)
	end
	out[#out + 1] = old == '' and '0' or old
	out[#out + 1] = at == '' and '' or age(at)
end

average('e2e', ARGV[14], ARGV[15])
average('tpot', ARGV[16], ARGV[17])
redis.call('PEXPIRE', k, ARGV[1])
return out
