-- The part of go-ai-proxy that only runs inside Kong. External plugins have no
-- header_filter, and their log phase comes too late for the log entry, so Kong
-- finds this handler under the plugin's name (the schema still comes from the
-- plugin server) and this handler finds the external plugin behind it.
--
--   access         sends the request to the relay in the plugin's process.
--                  Go says once per worker and configuration where that is.
--   header_filter  takes our headers off the answer; the client never sees them
--   log            puts the relay's record under ai.proxy and hides credentials,
--                  before the logging plugins and Prometheus look
--
-- Only access may end a request, and only because nothing would answer it.

local cjson = require("cjson.safe")
local has_socket = pcall(require, "socket") -- before socket.unix, which adds to it
local has_unix, unix_socket = pcall(require, "socket.unix")

local kong = kong
local ngx = ngx
local pcall = pcall
local type = type
local ipairs = ipairs
local pairs = pairs
local match = string.match
local gmatch = string.gmatch
local sub = string.sub
local format = string.format
local min = math.min
local max = math.max
local lower = string.lower

local NAME = "go-ai-proxy"
local TOKEN = "Proxy-Authorization" -- Kong's log serializer redacts it
local RECORD = "X-Go-AI-Proxy-Record"
local UNKNOWN = "X-Go-AI-Proxy-Unknown"
local RECORD_SOCKET = "/go-ai-proxy.%d.record.sock" -- in the Kong prefix, by the relay's port
local RECORD_WAIT = 0.050 -- seconds a worker stands still for the next byte of a record
local RECORD_LIMIT = 0.200 -- and for all of them: large payloads take their time

-- relays holds what Go's access answered, by configuration. Kong makes a new
-- conf table for every version of a configuration and drops the old one; weak
-- keys let our entry go with it, as long as no entry refers to its conf.
local relays = setmetatable({}, { __mode = "k" })


-- What the relay may need to know and only Kong can say, by the name Go asks
-- for it. Each adds to the arguments of the context.
local facts = {}

function facts.path(context) -- before strip_path, and not decoded
  context.path = kong.request.get_raw_path()
end

function facts.ip(context)
  context.ip = kong.client.get_forwarded_ip()
end

function facts.captures(context)
  for name, value in pairs(kong.request.get_uri_captures().named) do
    context["c." .. name] = value
  end
end

function facts.consumer(context)
  local consumer = kong.client.get_consumer()
  if not consumer then
    return
  end
  for _, field in ipairs({ "id", "username", "custom_id" }) do
    if type(consumer[field]) == "string" then -- null where it is not set
      context["consumer." .. field] = consumer[field]
    end
  end
end

-- Open-source Kong has no consumer groups. Their place is taken by the groups
-- an authentication plugin found, or else those of the acl plugin.
function facts.groups(context)
  local names, ids = {}, {}

  if kong.client.get_consumer_groups then
    for _, group in ipairs(kong.client.get_consumer_groups() or {}) do
      names[#names + 1] = group.name
      ids[#ids + 1] = group.id
    end
  end

  local authenticated = kong.ctx.shared.authenticated_groups or ngx.ctx.authenticated_groups
  local consumer = kong.client.get_consumer()
  if not authenticated and consumer and kong.db and kong.db.acls then
    local err
    authenticated, err = require("kong.plugins.acl.groups").get_consumer_groups(consumer.id)
    if err then
      error(err)
    end
  end
  if type(authenticated) == "table" then
    for _, name in ipairs(authenticated) do
      names[#names + 1] = name
    end
  end

  context.groups = names
  context.group_ids = ids
end


local function context_of(relay, id)
  local context = { shim = 1, id = id }
  for _, add in ipairs(relay.needs) do
    add(context)
  end
  return ngx.encode_args(context)
end


-- Kong ends a request from within a plugin by yielding for good. So Go's access
-- runs in a coroutine of its own: an answer that Go gave is passed on by doing
-- the same, and Kong's own 500 for a plugin server that does not answer becomes
-- an error here. (Go refuses with any status but 500.)
local function call_go(conf)
  local found, plugin = require("kong.runloop.plugin_servers").load_plugin(NAME)
  if not found then
    error(plugin)
  end

  local co = coroutine.create(plugin.access)
  local ok, err = coroutine.resume(co, plugin, conf)
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
  coroutine.yield()
end


-- patience is how long Kong has to wait for the relay's answer, in ms: the relay
-- keeps the timeouts of config.balancer itself, for each attempt. Without this
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


-- ask_go has Go set target, scheme and token of this request, and keeps them.
-- The token is "<instance>.<mac>", and what Go needs besides path and address is
-- in what follows it: "?need=captures,consumer".
local function ask_go(conf)
  kong.service.request.clear_header(TOKEN) -- so that what is there afterwards is Go's
  call_go(conf)

  local header = ngx.var.http_proxy_authorization
  local target = ngx.ctx.balancer_data
  if not header or not target then
    error("access of the plugin server set no target")
  end

  local token, args = match(header, "^([^?]*)%??(.*)$")
  local needs = { facts.path, facts.ip }
  for need in gmatch(ngx.decode_args(args).need or "", "[^,]+") do
    needs[#needs + 1] = facts[need] or error("access of the plugin server needs '" .. need .. "'")
  end

  return {
    host = target.host,
    port = target.port,
    scheme = ngx.var.upstream_scheme,
    token = token,
    needs = needs,
    patience = patience(conf),
  }
end


local function send_to_relay(conf)
  local relay = relays[conf]
  if relay then
    kong.service.set_target(relay.host, relay.port)
    kong.service.request.set_scheme(relay.scheme)
  else
    relay = ask_go(conf)
    relays[conf] = relay
  end
  local data = ngx.ctx.balancer_data
  if data then
    data.read_timeout = max(data.read_timeout or 0, relay.patience)
    data.send_timeout = max(data.send_timeout or 0, relay.patience)
  end

  local id = kong.request.get_id and kong.request.get_id() or ngx.var.request_id
  kong.service.request.set_header(TOKEN, relay.token .. "?" .. context_of(relay, id))

  local state = kong.ctx.plugin
  state.token = relay.token
  state.port = relay.port
  state.id = id
end


-- forget has the next request ask Go again, unless another request has already:
-- for every configuration, as all have the process that is gone.
local function forget(port)
  for conf, relay in pairs(relays) do
    if relay.port == port then
      relays[conf] = nil
    end
  end
end


local function take_headers()
  local state = kong.ctx.plugin
  local header = ngx.header
  local record = header[RECORD]
  local unknown = header[UNKNOWN]
  if record then
    header[RECORD] = nil
  end
  if unknown then
    header[UNKNOWN] = nil
  end

  local source = kong.response.get_source()
  if source == "service" then
    state.answered = true
    state.record = record
    if unknown then -- to a process that started after the token was made
      forget(state.port)
    end
  elseif source == "error" and ngx.status >= 500 then -- nobody listens there any more
    forget(state.port)
  end
end


-- ask_record gets the record of a request that was not over when its answer
-- began, as JSON, or "" when the relay has none. The log phase has no cosockets,
-- hence a blocking one that does not wait long.
local function ask_record(id, token, port)
  if not (has_socket and has_unix) then
    error("LuaSocket is not installed")
  end

  local conn = assert(unix_socket())
  conn:settimeout(RECORD_WAIT, "b")
  conn:settimeout(RECORD_LIMIT, "t")
  local record
  local ok, err = conn:connect(kong.configuration.prefix .. format(RECORD_SOCKET, port))
  if ok then
    ok, err = conn:send(id .. " " .. token .. "\n")
  end
  if ok then
    record, err = conn:receive("*l")
  end
  conn:close()
  return record or error(err)
end


local function put_record()
  local state = kong.ctx.plugin
  local record = state.record
  if not record then
    -- The client may have gone before the answer began, or Kong's patience may
    -- have ended: then the relay knows the request by the id in its context.
    local unanswered = state.token and not state.answered
      and (kong.response.get_source() == "service" or ngx.status == 504)
    record = unanswered and "#" .. state.id
  end
  if not record then
    return
  end

  if sub(record, 1, 1) == "#" then
    record = ask_record(sub(record, 2), state.token, state.port)
    if record == "" then
      return
    end
  end

  local value, err = cjson.decode(record)
  if type(value) ~= "table" then
    error("record is no JSON object: " .. (err or type(value)))
  end
  -- It was Kong that left, not the client.
  local meta = value.meta
  if not state.answered and ngx.status == 504 and type(meta) == "table" and meta.outcome == "client_aborted" then
    meta.outcome, meta.error = "failed", "The upstream server is timing out"
  end
  kong.log.set_serialize_value("ai.proxy", value)
end


-- secrets holds the request headers in which a client may send a credential that
-- Kong does not know for one, by configuration.
local secrets = setmetatable({}, { __mode = "k" })
local EXISTING = { mode = "replace" }

local function secrets_of(conf)
  local names = { "x-amz-security-token" }
  local function add(auth)
    if type(auth) == "table" and type(auth.header_name) == "string" then
      names[#names + 1] = lower(auth.header_name)
    end
  end
  add(conf.auth)
  if type(conf.targets) == "table" then
    for _, target in ipairs(conf.targets) do
      add(target.auth)
    end
  end
  return names
end


local function hide_secrets(conf)
  local names = secrets[conf]
  if not names then
    names = secrets_of(conf)
    secrets[conf] = names
  end
  for _, name in ipairs(names) do
    kong.log.set_serialize_value("request.headers." .. name, "REDACTED", EXISTING)
  end
end


local Handler = {
  PRIORITY = 770,
  VERSION = "1.0.0",
}

function Handler:access(conf)
  local ok, err = pcall(send_to_relay, conf)
  if not ok then
    relays[conf] = nil
    kong.log.err("cannot send the request to the relay: ", err)
    return kong.response.exit(503, {
      error = { message = "AI proxy is not available, try again later", type = "api_error" },
    })
  end
end

function Handler:header_filter()
  local ok, err = pcall(take_headers)
  if not ok then
    kong.log.warn("cannot read the relay's headers: ", err)
  end
end

function Handler:log(conf)
  local ok, err = pcall(hide_secrets, conf)
  if not ok then
    kong.log.warn("cannot hide credentials in the log entry: ", err)
  end

  ok, err = pcall(put_record)
  if not ok then
    kong.log.warn("no AI record in the log entry: ", err)
  end
end

return Handler
