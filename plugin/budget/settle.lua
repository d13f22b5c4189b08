-- Changes what is used of a budget by what a node has found out since it reserved: the
-- window in ms, the number of the window, the change, the node and the number of its
-- settlement. A settlement that was carried out is not carried out again. One of a
-- window that is over has no effect.
local size, w, change, seq = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[5])
local node = 'n' .. ARGV[4]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local old = redis.call('HMGET', KEYS[1], 'w', 'u', node)
local has = tonumber(old[1] or -1)
if has > w or math.floor(now / size) > w or tonumber(old[3] or -1) >= seq then return 0 end
local used = 0
if has == w then used = tonumber(old[2]) elseif has >= 0 then redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], 'w', string.format('%.0f', w), 'u', string.format('%.0f', math.max(0, used + change)), node, ARGV[5])
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', 2 * size))
return 1
