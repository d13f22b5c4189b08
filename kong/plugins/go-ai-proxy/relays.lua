-- Finds the relay of a configuration. The plugin server answers this in its access
-- phase. It is asked once per worker and configuration, and again when the relay has
-- left or a secret has changed. A request waits for a plugin server that is starting;
-- this does not block the worker.

local records = require("kong.plugins.go-ai-proxy.records")
local removed = require("kong.plugins.go-ai-proxy.removed")
local secrets = require("kong.plugins.go-ai-proxy.secrets")
local has_unix, unix_socket = pcall(require, "socket.unix")

local kong = kong
local ngx = ngx
local type = type
local pairs = pairs
local format = string.format
local match = string.match
local gmatch = string.gmatch
local max = math.max
local min = math.min

local NAME = "go-ai-proxy"
local TOKEN = "Proxy-Authorization" -- Kong's log serializer redacts it
local SOCKET = "/go-ai-proxy.%d.relay.sock" -- in the Kong prefix, by the relay's port

local WAIT = 10 -- seconds that a request waits for a plugin server that does not listen, at most
local STEP = 0.02 -- seconds between two looks at its socket
local TRIES = 4 -- calls of a plugin server that listens but does not answer correctly
local PAUSE = 0.1 -- seconds after the first of them, and more after each

local M = {}

-- relays holds what Go's access answered, by configuration. Kong makes a new conf
-- table for every version of a configuration and drops the old one. Because the keys
-- are weak, our entry is dropped with it, provided that no entry refers to its conf.
local relays = setmetatable({}, { __mode = "k" })


-- forget makes the next request ask Go again, unless another request has already done
-- so. It applies to every configuration, since all of them had the process that ended.
function M.forget(port)
  for conf, relay in pairs(relays) do
    if relay.port == port then
      relays[conf] = nil
    end
  end
end

records.on_gone = M.forget


-- drop makes the next request with this configuration ask Go again.
function M.drop(conf)
  relays[conf] = nil
end


-- external is the plugin as Kong loaded it from its plugin server.
local function external()
  local found, plugin = require("kong.runloop.plugin_servers").load_plugin(NAME)
  if not found then
    error(plugin, 0)
  end
  return plugin
end


-- prepare makes Kong load it before it starts its workers. Kong waits for the query
-- command, and would otherwise do so in the first request of each worker.
function M.prepare()
  if ngx.get_phase() == "init" and ngx.config.subsystem == "http" and kong.configuration.role ~= "control_plane" then
    local ok, err = pcall(external)
    if not ok then
      kong.log.warn("requests will be refused, as nothing is known of the plugin server: ", err)
    end
  end
end


-- asking holds, by configuration, when a request began to ask Go for it. Others
-- wait for its answer.
local asking = setmetatable({}, { __mode = "k" })


-- To end a request from within a plugin, Kong yields and never resumes. So Go's access
-- runs in a coroutine of its own. If Go answered the request, we yield in the same way.
-- If Kong answers 500 because the plugin server does not answer, it becomes an error
-- here. (Go itself never refuses with 500.)
local function call_go(plugin, conf, version)
  local co = coroutine.create(plugin.access)
  local ok, err = coroutine.resume(co, plugin, version)
  if not ok then
    error(err)
  end
  if coroutine.status(co) == "dead" then
    return
  end

  local ctx = ngx.ctx
  local answer = ctx.delayed_response
  if answer and answer.status_code == 500 then
    ctx.delayed_response = nil
    error("the plugin server does not answer")
  end
  asking[conf] = nil
  coroutine.yield()
end


-- connects returns whether somebody listens on a Unix socket. It does not wait.
local function connects(path)
  local conn = unix_socket()
  conn:settimeout(0)
  local ok, err = conn:connect(path)
  conn:close()
  return ok ~= nil or err == "timeout" -- the backlog is full, so somebody listens
end


-- address is what Kong connects to: the relay's Unix socket, which costs half of what TCP
-- does, or where there is none, its host and port.
local function address(host, port)
  local path = kong.configuration.prefix .. format(SOCKET, port)
  return has_unix and connects(path) and "unix:" .. path or host
end


-- patience is how long Kong must wait for the relay's answer, in ms. The relay itself
-- applies the timeouts of config.balancer to each attempt. Without this
-- Kong would give up after the service's read_timeout, in the middle of a failover.
local function patience(conf)
  local b = type(conf.balancer) == "table" and conf.balancer or {}
  local function ms(name)
    return type(b[name]) == "number" and b[name] or 60000
  end
  local retries = type(b.retries) == "number" and b.retries or 5
  local all = (ms("connect_timeout") + ms("write_timeout") + ms("read_timeout")) * (retries + 1) + 5000
  return min(all, 2147483646)
end


local version = 0

-- renewed returns conf as a new version. Kong sends a configuration to Go only when its
-- version changes, and the version does not change with the secrets in it.
local function renewed(conf)
  version = version + 1
  local copy = {}
  for name, value in pairs(conf) do
    copy[name] = value
  end
  copy.__seq__ = tostring(conf.__seq__) .. "." .. version
  return copy
end


-- ask_go lets Go set target, scheme and token of this request, and returns them.
-- The token is "<instance>.<mac>". After it stands what Go needs besides path and
-- address: "?need=captures,consumer".
local function ask_go(plugin, conf)
  local from_vaults = secrets.from_vaults(conf)
  kong.service.request.clear_header(TOKEN) -- so that a value found afterwards is from Go
  call_go(plugin, conf, from_vaults and renewed(conf) or conf)

  local header = ngx.var.http_proxy_authorization
  local target = ngx.ctx.balancer_data
  if not header or not target then
    error("access of the plugin server set no target")
  end

  local token, args = match(header, "^([^?]*)%??(.*)$")
  local needs = {}
  for need in gmatch(ngx.decode_args(args).need or "", "[^,]+") do
    needs[#needs + 1] = need
  end
  return {
    host = target.host,
    port = target.port,
    address = address(target.host, target.port),
    scheme = ngx.var.upstream_scheme,
    token = token,
    needs = needs,
    patience = patience(conf),
    from_vaults = from_vaults,
  }
end


-- After one request has waited for Go in vain, the next ones do not wait until Go
-- answers again.
local gave_up = false

-- The result of the last check of the plugin server's socket.
local looked, listens = 0, false

-- reachable returns whether the plugin server listens on path. It does not wait.
-- Requests that are waiting share its checks.
local function reachable(path)
  local now = ngx.now()
  if not gave_up and now - looked < STEP / 2 then
    return listens
  end
  looked, listens = now, connects(path)
  return listens
end


-- await waits until the plugin server listens.
local function await(server)
  if not (server and server.socket and has_unix) then
    return
  end
  local deadline = ngx.now() + WAIT
  while not reachable(server.socket) do
    if gave_up or ngx.now() >= deadline then
      error("nobody listens on " .. server.socket .. ": what the plugin server says is in this log at log_level info", 0)
    end
    ngx.sleep(STEP)
  end
  if server.socket_err then -- Kong 3.4 waits for 20 s after its start, and then never again
    server.ready, server.socket_err = true, nil
  end
end


-- find asks Go. It asks again if a call fails because Go is just starting or ending.
local function find(conf)
  local plugin = external()
  local ok, relay
  for try = 1, TRIES do
    ok, relay = pcall(await, plugin.server_def)
    if not ok then
      break
    end
    ok, relay = pcall(ask_go, plugin, conf)
    if ok or gave_up or try == TRIES then
      break
    end
    ngx.sleep(PAUSE * try)
  end
  gave_up = not ok
  return ok and relay or error(relay, 0)
end


-- known returns what Go's access answered before, unless the relay has since announced
-- that it leaves or closed its connection, or a secret has changed.
local function known(conf)
  local relay = relays[conf]
  if not relay then
    return nil
  end
  if relay.from_vaults and secrets.changed(conf, relay.from_vaults) then
    relays[conf] = nil
    return nil
  end
  if relay.linked then
    relay.linked = records.watch(relay.port)
  end
  return relays[conf]
end


-- answered waits for another request that is asking Go for conf, if there is one.
local function answered(conf)
  local began = asking[conf]
  while began and ngx.now() - began < WAIT do
    ngx.sleep(STEP / 4)
    began = asking[conf]
  end
  return relays[conf]
end


-- found asks Go, on behalf of all requests with conf.
local function found(conf)
  relays[conf] = nil
  asking[conf] = ngx.now()
  local ok, relay = pcall(find, conf)
  asking[conf] = nil
  if not ok then
    error(relay, 0)
  end
  relays[conf] = relay
  removed.serve(conf, relay)
  return relay
end


-- send sends the request to the relay of conf, and returns what is known of the relay.
-- The token is set by the caller.
function M.send(conf)
  local relay = known(conf) or answered(conf) or found(conf)
  relay.idle = false
  local data = ngx.ctx.balancer_data
  -- Nearly the same as kong.service.set_target and set_scheme. As the host is an address,
  -- Kong need not look for it in DNS and among its upstreams.
  ngx.var.upstream_host = relay.host
  ngx.var.upstream_scheme = relay.scheme
  data.type = "ipv4"
  data.host = relay.address
  data.port = relay.port
  data.read_timeout = max(data.read_timeout or 0, relay.patience)
  data.send_timeout = max(data.send_timeout or 0, relay.patience)
  if not relay.linked then
    relay.linked = records.connected(relay.port, relay.token)
  end
  return relay
end

return M
