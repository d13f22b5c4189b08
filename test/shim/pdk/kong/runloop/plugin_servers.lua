-- A stand-in for Kong's way to an external plugin. What Go's access would do is
-- read from the file "access" at every call, so that a test can change it.

local cjson = require("cjson.safe")

local prefix = ngx.config.prefix()

local plugin = { PRIORITY = 770 }
local called = 0

local function read()
  local file = io.open(prefix .. "access")
  if not file then -- before the test has begun
    return {}
  end
  local script = assert(cjson.decode(file:read("*a")))
  file:close()
  return script
end

function plugin.access(_, conf)
  local calls = assert(io.open(prefix .. "calls", "a"))
  calls:write(ngx.worker.pid(), " ", conf.name or "")
  if conf.secret then
    calls:write(" version ", conf.__seq__, " secret ", conf.secret.value)
  end
  calls:write("\n")
  calls:close()
  called = called + 1

  local script = read()
  if script.slow then
    ngx.sleep(script.slow)
  end
  if script.error and called <= (script.times or called) then
    error(script.error)
  end
  if script.exit then
    return kong.response.exit(script.exit, script.body, { ["Content-Type"] = "application/json" })
  end
  if script.header then
    kong.service.set_target("127.0.0.1", script.port)
    kong.service.request.set_scheme("http")
    kong.service.request.set_header("Proxy-Authorization", script.header)
  end
end

return {
  load_plugin = function(name)
    if name ~= "go-ai-proxy" then
      return false, "no plugin found"
    end
    local socket = read().socket
    plugin.server_def = socket and { socket = prefix .. socket }
    return true, plugin
  end,
}
