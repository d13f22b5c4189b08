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
local has_socket, socket = pcall(require, "socket") -- before socket.unix, which adds to it
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
local gsub = string.gsub
local find = string.find
local format = string.format
local min = math.min
local max = math.max
local lower = string.lower

local NAME = "go-ai-proxy"
local TOKEN = "Proxy-Authorization" -- Kong's log serializer redacts it
local RECORD = "X-Go-AI-Proxy-Record"
local UNKNOWN = "X-Go-AI-Proxy-Unknown"
local LEAVING = "leaving" -- in the place of an id, from a relay that is about to end
local RECORD_SOCKET = "/go-ai-proxy.%d.record.sock" -- in the Kong prefix, by the relay's port

-- Most records are there when the log phase looks. For the others a worker stands
-- still, and all its requests with it.
local PATIENCE = 0.5 -- seconds for one record, at the most
local BURST = 0.5 -- seconds for several in a row
local SHARE = 0.25 -- of a worker's time in the long run
local REST = 1 -- seconds without a question after one that was not answered, unless its
local LONGEST_REST = 30 -- answer comes meanwhile; doubled each time up to this

local SPARE_LOG = 10 -- seconds for which a warning is counted only
local LONGEST_TEXT = 300 -- bytes of an error in a warning

-- relays holds what Go's access answered, by configuration. Kong makes a new
-- conf table for every version of a configuration and drops the old one; weak
-- keys let our entry go with it, as long as no entry refers to its conf.
local relays = setmetatable({}, { __mode = "k" })


-- say logs what went wrong, once in a while: a fault that every request meets
-- must not fill the disk. How often it was met meanwhile is said afterwards.
local said = {}

local function say(log, what, err)
  local text = gsub(sub(tostring(err), 1, LONGEST_TEXT), "%c", " ")
  local before = said[what]
  local now = ngx.now()
  if not before or now - before.at >= SPARE_LOG then
    said[what] = { at = now, more = 0 }
    log(what, ": ", text)
    return
  end
  before.more, before.text = before.more + 1, text
  if before.more == 1 then
    local ok, timer_err = ngx.timer.at(SPARE_LOG - (now - before.at), function()
      log(what, ": ", before.text, format(" (%d times since the last warning)", before.more))
    end)
    if not ok then
      log(what, ": ", text, " (and what follows is not counted: ", timer_err, ")")
    end
  end
end


-- Records of requests that were not over when their answers began come over one
-- connection per relay, by port. The relay sends them before the last byte of the
-- answer, so that they are in the socket when the log phase reads it. The log
-- phase has no cosockets; reading what is there does not block.
local links = {}

-- expected holds, by the request's id, the table that its record is put into.
local expected = setmetatable({}, { __mode = "v" })

-- forget has the next request ask Go again, unless another request has already:
-- for every configuration, as all have the process that is gone.
local function forget(port)
  for conf, relay in pairs(relays) do
    if relay.port == port then
      relays[conf] = nil
    end
  end
end


local function close(link)
  if link.conn then
    link.conn:close()
    link.conn = nil
  end
end


-- rest has nobody wait for this relay for a while, or until it has answered the
-- question of that id after all: it was the worker that had no more time for it.
local function rest(link, id)
  link.owed = id
  link.pause = min(max(link.pause * 2, REST), LONGEST_REST)
  link.awake = socket.gettime() + link.pause
end


-- read_line reads a record, waiting so many seconds, and returns true, or nil and
-- an error.
local function read_line(link, seconds)
  local conn = link.conn
  conn:settimeout(max(seconds, 0), "b")
  conn:settimeout(max(seconds, 0), "t")
  local line, err, part = conn:receive("*l", link.part)
  if not line then
    link.part = part or ""
    if err ~= "timeout" then
      close(link)
    end
    return nil, err
  end
  link.part = ""
  local id, record = match(line, "^(%S+) (.*)$")
  if id == LEAVING then
    forget(link.port)
  end
  if id and id == link.owed then
    link.owed, link.awake = nil, 0
  end
  local inbox = id and expected[id]
  if inbox then
    inbox.record = record
  end
  return true
end


-- connect returns the link to a relay. It does not wait: who is not there now is
-- tried again later.
local function connect(port, token)
  local link = links[port]
  if not link then
    for other, old in pairs(links) do -- of a process that is gone
      while old.conn and read_line(old, 0) do end
      if not old.conn then
        links[other] = nil
      end
    end
    link = { port = port, pause = 0, awake = 0 }
    links[port] = link
  end
  if link.conn or socket.gettime() < link.awake then
    return link
  end

  local conn = assert(unix_socket())
  conn:settimeout(0)
  local ok, err = conn:connect(kong.configuration.prefix .. format(RECORD_SOCKET, port))
  if ok then
    ok, err = conn:send(ngx.worker.pid() .. " " .. token .. "\n")
  end
  if ok then
    link.conn, link.part = conn, ""
  else
    conn:close()
    link.err = err
    rest(link)
  end
  return link
end


-- What a worker may still stand still for.
local credit, counted = BURST, 0

local function allowance()
  local now = socket.gettime()
  credit = min(BURST, credit + max(now - counted, 0) * SHARE)
  counted = now
  return min(credit, PATIENCE)
end


-- ask asks for a record that did not come by itself, and waits for it. over says
-- that the client has the whole answer.
local function ask(link, id, inbox, over)
  local began = socket.gettime()
  local seconds = allowance()
  if began < link.awake or seconds < 0.001 then
    return nil, "the relay was slow to answer and is not asked for now"
  end
  link.conn:settimeout(seconds, "b")
  link.conn:settimeout(seconds, "t")
  local ok, err = link.conn:send(id .. (over and " over\n" or " left\n"))
  if not ok then
    close(link) -- half a question may have been sent
  end
  while ok and not inbox.record do
    ok, err = read_line(link, began + seconds - socket.gettime())
  end
  credit = credit - max(socket.gettime() - began, 0)
  if ok then
    link.pause = 0
  else
    rest(link, id)
  end
  return ok, err == "timeout" and "the relay did not answer in time" or err
end


-- What the relay may need to know and only Kong can say, by the name Go asks
-- for it. Each adds to the arguments of the context.
local facts = {}

function facts.path(context) -- before strip_path, and not decoded
  context.path = kong.request.get_raw_path()
end

function facts.ip(context)
  context.ip = kong.client.get_forwarded_ip()
end

function facts.route(context)
  local route = kong.router.get_route()
  context.route = route and (route.name or route.id)
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


local function context_of(relay, id, worker)
  local context = { shim = 1, id = id, worker = worker }
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


-- known is what Go's access answered before, unless the relay has said since that
-- it leaves, or has hung up.
local function known(conf)
  local relay = relays[conf]
  local link = relay and links[relay.port]
  if link and link.conn then
    while link.conn and read_line(link, 0) do end
    if not link.conn then
      forget(relay.port)
    end
  end
  return relays[conf]
end


local function send_to_relay(conf)
  local relay = known(conf)
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
  local linked, link = pcall(connect, relay.port, relay.token) -- what is wrong is said when a record is missing
  local worker = linked and link.conn and ngx.worker.pid() or nil
  kong.service.request.set_header(TOKEN, relay.token .. "?" .. context_of(relay, id, worker))

  local state = kong.ctx.plugin
  state.token = relay.token
  state.port = relay.port
  state.id = id
  state.inbox = {}
  expected[id] = state.inbox
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


-- late_record gets the record of a request that was not over when its answer
-- began, as JSON, or "" when the relay has none.
local function late_record(id)
  if not (has_socket and has_unix) then
    error("LuaSocket is not installed")
  end

  local state = kong.ctx.plugin
  local inbox = state.inbox
  if id ~= state.id then -- of a relay that was told no id
    inbox = {}
    expected[id] = inbox
  end
  local link = connect(state.port, state.token)
  while link.conn and not inbox.record and read_line(link, 0) do end
  if not inbox.record then
    link = connect(state.port, state.token)
    if not link.conn then
      error(link.err or "the relay hung up", 0)
    end
    local ok, err = ask(link, id, inbox, ngx.var.request_completion == "OK")
    if not ok then
      error(err, 0)
    end
  end
  expected[id] = nil
  return inbox.record
end


-- was_sent says whether the relay has seen something of the request: for each
-- address that nginx tried, how many bytes.
local function was_sent()
  return find(ngx.var.upstream_bytes_sent or "", "[1-9]") ~= nil
end


local function put_record()
  local state = kong.ctx.plugin
  local record = state.record
  if not record then
    -- The client may have gone before the answer began, Kong's patience may have
    -- ended, or it may not have liked the answer: then the relay knows the
    -- request by the id in its context.
    local unanswered = state.token and not state.answered and was_sent()
    record = unanswered and "#" .. state.id
  end
  if not record then
    return
  end

  if sub(record, 1, 1) == "#" then
    record = late_record(sub(record, 2))
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
    say(kong.log.err, "cannot send the request to the relay", err)
    return kong.response.exit(503, {
      error = { message = "AI proxy is not available, try again later", type = "api_error" },
    })
  end
end

function Handler:header_filter()
  local ok, err = pcall(take_headers)
  if not ok then
    say(kong.log.warn, "cannot read the relay's headers", err)
  end
end

function Handler:log(conf)
  local ok, err = pcall(hide_secrets, conf)
  if not ok then
    say(kong.log.warn, "cannot hide credentials in the log entry", err)
  end

  ok, err = pcall(put_record)
  if not ok then
    say(kong.log.warn, "no AI record in the log entry", err)
  end
end

return Handler
