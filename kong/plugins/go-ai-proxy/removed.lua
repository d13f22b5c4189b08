-- Tells the relay which plugins Kong no longer has. Kong keeps that to itself: it neither
-- closes the instance of a plugin that was removed, nor drops the table of its
-- configuration. Without this, its health checks would go on for an hour.
--
-- Only plugins without requests are looked up, so that a busy Kong with a database is
-- not asked about what it uses anyway.

local records = require("kong.plugins.go-ai-proxy.records")
local say = require("kong.plugins.go-ai-proxy.say")

local kong = kong
local ngx = ngx
local pcall = pcall
local pairs = pairs

local EVERY = 30 -- seconds between two looks
local ANYWHERE = { workspace = ngx.null }

local M = {}

local served = {} -- what is known of the relay, by the id of the plugin


-- serve remembers that a relay serves the plugin of that configuration. Whoever sends it
-- a request sets relay.idle to false.
function M.serve(conf, relay)
  if conf.__plugin_id then
    served[conf.__plugin_id] = relay
  end
end


-- removed returns whether Kong has no such plugin any more. If it does not know, it has.
local function removed(id)
  local plugin, err = kong.db.plugins:select({ id = id }, ANYWHERE)
  if err then
    return false
  end
  return not plugin or plugin.enabled == false
end


local function look()
  for id, relay in pairs(served) do
    if not relay.idle then
      relay.idle = true
    elseif removed(id) then
      served[id] = nil
      records.tell_removed(relay.port, relay.token, id)
    end
  end
end


-- start looks from time to time. It is called once in each worker.
function M.start()
  local ok, err = ngx.timer.every(EVERY, function(premature)
    local fine, why = premature or pcall(look)
    if not fine then
      say(kong.log.warn, "cannot look for removed plugins", why)
    end
  end)
  if not ok then
    kong.log.warn("removed plugins will not be noticed: ", err)
  end
end

return M
