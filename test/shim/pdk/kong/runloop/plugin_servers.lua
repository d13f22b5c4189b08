-- A stand-in for Kong's way to an external plugin. What Go's access would do is
-- read from the file "access" at every call, so that a test can change it.

local cjson = require("cjson.safe")

local prefix = ngx.config.prefix()

local plugin = { PRIORITY = 770 }

function plugin.access(_, conf)
  local calls = assert(io.open(prefix .. "calls", "a"))
  calls:write(ngx.worker.pid(), " ", conf.name or "", "\n")
  calls:close()

  local file = assert(io.open(prefix .. "access"))
  local script = assert(cjson.decode(file:read("*a")))
  file:close()

  if script.error then
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
    return true, plugin
  end,
}
