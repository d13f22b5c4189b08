-- The part of go-ai-proxy that only runs inside Kong. External plugins have no
-- header_filter, and their log phase comes too late for the log entry, so Kong
-- finds this handler under the plugin's name, and this handler finds the external
-- plugin behind it.
--
--   access         sends the request to the relay in the plugin's process.
--                  Go is asked once per worker and configuration where that
--                  is: relays.lua.
--   header_filter  removes our headers from the answer; the client never sees them
--   log            puts the relay's record (records.lua) under ai.proxy and hides
--                  credentials, before the logging plugins and Prometheus look
--
-- Only access may end a request, and only if no relay could answer it.
--
-- What runs for every request uses nginx's variables and Kong's ngx.ctx rather
-- than the PDK where both say the same: a PDK call costs several times as much.

local cjson = require("cjson.safe")
local records = require("kong.plugins.go-ai-proxy.records")
local relays = require("kong.plugins.go-ai-proxy.relays")
local removed = require("kong.plugins.go-ai-proxy.removed")
local say = require("kong.plugins.go-ai-proxy.say")
local secrets = require("kong.plugins.go-ai-proxy.secrets")
local span = require("kong.plugins.go-ai-proxy.span")

local kong = kong
local ngx = ngx
local pcall = pcall
local type = type
local ipairs = ipairs
local pairs = pairs
local tonumber = tonumber
local byte = string.byte
local sub = string.sub
local find = string.find
local escape = ngx.escape_uri
local set_header = ngx.req.set_header

local TOKEN = "Proxy-Authorization" -- Kong's log serializer redacts it
local RECORD = "X-Go-AI-Proxy-Record"
local UNKNOWN = "X-Go-AI-Proxy-Unknown"
local STATE = "go_ai_proxy" -- in ngx.ctx: what one phase stores for the next
local PLAIN = "^[%w/._~-]*$" -- what needs no escaping in a query


-- What the relay may need to know and only Kong can say, by the name Go asks
-- for it. Each returns what it adds to the query after the token.
local facts = {}

-- argument is one member of the query.
local function argument(name, value)
  return "&" .. escape(name) .. "=" .. escape(value)
end

-- The path is always sent.
function facts.path()
  return ""
end

function facts.ip()
  return argument("ip", ngx.var.remote_addr)
end

function facts.route()
  local route = ngx.ctx.route
  return route and argument("route", route.name or route.id) or ""
end

function facts.captures()
  local all = ""
  for name, value in pairs(kong.request.get_uri_captures().named) do
    if type(value) == "string" then -- false if the group is not in the path
      all = all .. argument("c." .. name, value)
    end
  end
  return all
end

function facts.consumer()
  local consumer = kong.client.get_consumer()
  local all = ""
  for _, field in ipairs({ "id", "username", "custom_id" }) do
    if consumer and type(consumer[field]) == "string" then -- null if it is not set
      all = all .. argument("consumer." .. field, consumer[field])
    end
  end
  return all
end

-- Open-source Kong has no consumer groups. Their place is taken by the groups
-- an authentication plugin found, or else those of the acl plugin.
function facts.groups()
  local all = ""
  if kong.client.get_consumer_groups then
    for _, group in ipairs(kong.client.get_consumer_groups() or {}) do
      all = all .. argument("groups", group.name) .. argument("group_ids", group.id)
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
      all = all .. argument("groups", name)
    end
  end
  return all
end


local last_uri, last_path -- most requests come to the same path

-- raw_path is the path before strip_path, and not decoded, as a value of the query.
local function raw_path()
  local uri = ngx.var.request_uri or ""
  if uri ~= last_uri then
    local query = find(uri, "?", 2, true)
    local path = query and sub(uri, 1, query - 1) or uri
    last_uri, last_path = uri, find(path, PLAIN) and path or escape(path)
  end
  return last_path
end


local worker -- with its process id; the process that reads this file is another

local function header_of(relay, id, traced)
  worker = worker or "&worker=" .. ngx.worker.pid()
  local header = relay.token .. "?shim=1&id=" .. id .. "&path=" .. raw_path()
    .. (relay.linked and worker or "") .. (traced and "&traced=1" or "")
  for _, need in ipairs(relay.needs) do
    local add = facts[need] or error("access of the plugin server needs '" .. need .. "'")
    header = header .. add()
  end
  return header
end


-- restore_body writes the request's body anew when one of Kong's own AI plugins changed
-- it. What ai-prompt-decorator of Kong 3.9 writes has the messages only: its copy of the
-- request finds all other members (stream, tools, model …) in a metatable, which the JSON
-- encoder does not read. Kong keeps the whole request for its own ai-proxy.
local function restore_body(ctx)
  local source = ctx.ai_request_body_table_source
  if not source or source == "parse-request" then
    return
  end
  local shared = ctx.ai_namespaced_ctx and ctx.ai_namespaced_ctx._global
  if shared and type(shared.request_body_table) == "table" then
    kong.service.request.set_body(shared.request_body_table, "application/json")
  end
end


local function send_to_relay(conf)
  local relay = relays.send(conf)
  local ctx = ngx.ctx
  restore_body(ctx)
  local id = ctx.request_id or ngx.var.kong_request_id or ngx.var.request_id -- Kong 3.4 has none of its own
  local began = span.begin(ctx)
  set_header(TOKEN, header_of(relay, id, began))
  local state = { token = relay.token, host = relay.host, port = relay.port, id = id, began = began }
  records.expect(id, state)
  ctx[STATE] = state
end


-- name_provider makes Kong's log entry and spans name the provider that answered. Kong
-- itself sees only the relay.
local function name_provider(ctx, host, port, ip, path)
  ip = ip ~= "-" and ip or host
  local data = ctx.balancer_data
  data.hostname, data.ip, data.port = host, ip, port
  local tries = data.tries
  local last = tries and tries[#tries]
  if last then
    last.ip, last.port = ip, port
  end
  ngx.var.upstream_uri = path
end


-- name_relay makes them name the relay by its host, even if it was reached on its Unix
-- socket: what no provider answered.
local function name_relay(ctx, state)
  local data = ctx.balancer_data
  data.hostname, data.ip = state.host, state.host
  for _, try in ipairs(data.tries or {}) do
    try.ip = state.host
  end
end


local HASH, BRACE = byte("#{", 1, 2)

-- take_record keeps the relay's record, or its id. In front of it stands the provider
-- that was called: "HOST PORT IP PATH ". LuaJIT compiles a search for a text, but none
-- for a pattern.
local function take_record(ctx, state, record)
  local first = byte(record)
  local port = first ~= HASH and first ~= BRACE and find(record, " ", 1, true)
  local ip = port and find(record, " ", port + 1, true)
  local path = ip and find(record, " ", ip + 1, true)
  local number = path and tonumber(sub(record, port + 1, ip - 1))
  if not number then
    state.record = record -- without a provider; the log phase reports what is not from our relay
    name_relay(ctx, state)
    return
  end
  local rest = find(record, " ", path + 1, true) or #record + 1
  state.record = rest < #record and sub(record, rest + 1) or nil
  state.named = true
  local tries = ctx.balancer_data.tries
  if tries and #tries > 1 then -- only the last of them was answered
    name_relay(ctx, state)
  end
  name_provider(ctx, sub(record, 1, port - 1), number, sub(record, ip + 1, path - 1), sub(record, path + 1, rest - 1))
end


local function take_headers()
  local ctx = ngx.ctx
  local state = ctx[STATE]
  local header = ngx.header
  local record, unknown = header[RECORD], header[UNKNOWN]
  if record then
    header[RECORD] = nil
  end
  if unknown then
    header[UNKNOWN] = nil
  end
  if not state then
    return
  end
  if record then
    state.answered = true
    take_record(ctx, state, record)
    return
  end
  name_relay(ctx, state)
  local source = kong.response.get_source()
  if source == "service" then
    state.answered = true
    if unknown then -- to a process that started after the token was made
      relays.forget(state.port)
    end
  elseif source == "error" and ngx.status >= 500 then -- the relay does not listen any more
    relays.forget(state.port)
  end
end


-- was_sent returns whether the relay has received any part of the request. nginx's
-- variable has the number of bytes for each address that it tried.
local function was_sent()
  return find(ngx.var.upstream_bytes_sent or "", "[1-9]") ~= nil
end


-- record_of returns the record of the request as JSON, or nil when there is none.
local function record_of(state)
  local record = state.record
  if not record then
    -- The client may have disconnected before the answer began, Kong may have timed
    -- out, or may have rejected the answer. In these cases the relay knows the
    -- request by the id in its context.
    record = not state.answered and was_sent() and "#" .. state.id
  end
  if not record then
    return nil
  end
  if byte(record) == HASH then
    local id = sub(record, 2)
    record = records.get(state.port, state.token, id, id == state.id and state, state.began)
  end
  return record ~= "" and record or nil
end


-- decode parses the record, and removes what does not belong into the log entry.
local function decode(state, record)
  local value, err = cjson.decode(record)
  if type(value) ~= "table" then
    error("record is no JSON object: " .. (err or type(value)))
  end
  -- Kong closed the connection, not the client.
  local meta = value.meta
  if not state.answered and ngx.status == 504 and type(meta) == "table" and meta.outcome == "client_aborted" then
    meta.outcome, meta.error = "failed", "The upstream server is timing out"
  end
  local own = type(value.kong) == "table" and value.kong or {}
  value.kong = nil
  state.reason = own.error or type(meta) == "table" and meta.error or nil
  if state.began and type(own.span) == "table" then
    span.put(ngx.ctx, state.began, own.span, own.events)
  end
  return value
end


-- name_tries names the providers of a request that was sent to several, or that got no
-- answer.
local function name_tries(state, tried)
  if type(tried) ~= "table" or #tried == 0 or (state.named and #tried == 1) then
    return
  end
  local tries = {}
  for i, one in ipairs(tried) do
    tries[i] = { host = one.host, port = one.port, ip = one.ip, code = one.status, state = one.outcome ~= "ok" and "failed" or nil }
  end
  kong.log.set_serialize_value("tries", tries)
  if not state.named then
    kong.log.set_serialize_value("upstream_uri", tried[#tried].upstream_uri)
  end
end


-- LAZY is an entry of the serializer's list that decodes its record when a plugin
-- asks for the log entry: often none does.
local LAZY = {
  __index = function(item, name)
    if name ~= "value" then
      return nil
    end
    local ok, value = pcall(decode, item.state, item.record)
    if not ok then
      say(kong.log.warn, "no AI record in the log entry", value)
    end
    value = ok and next(value) and value or nil
    rawset(item, "value", value)
    return value
  end,
}

-- put_lazily returns whether the list has the form that it expects.
local function put_lazily(state, record)
  kong.log.set_serialize_value("ai.proxy", true) -- creates the list, with Kong's own entries
  local list = ngx.ctx.serialize_values
  local item = list and list[#list]
  if not item or item.key ~= "ai.proxy" then
    return false
  end
  item.value, item.state, item.record = nil, state, record
  setmetatable(item, LAZY)
  return true
end


local function put_record(state)
  local record = record_of(state)
  if not record then
    return
  end
  -- The record's content is needed here only if the request was traced, failed, or was
  -- sent to several providers.
  local alone = state.named and not state.began and ngx.status < 500 and not find(record, '},{"provider"', 1, true)
  if alone and put_lazily(state, record) then
    return
  end
  local value = decode(state, record)
  name_tries(state, value.tried_targets)
  if next(value) then
    kong.log.set_serialize_value("ai.proxy", value)
  end
end


-- tell_failure writes the reason of a failure to Kong's error log. At Kong's default
-- level nothing else of the plugin is logged there.
local function tell_failure(state)
  local status = ngx.status
  if status < 500 then
    return
  end
  local reason = state.reason or state.answered and "the provider's answer says why" or "the relay gave no answer"
  say(kong.log.warn, "request failed with " .. status, reason .. " (request " .. state.id .. ")")
end


local EXISTING = { mode = "replace" }

-- hide_secrets removes credentials from the log entry. The token for the relay is one of
-- them, and is not a header of the client.
local function hide_secrets(conf)
  kong.log.set_serialize_value("request.headers.proxy-authorization", nil, EXISTING)
  local all = secrets.sent_in(conf)
  for i = 1, #all do
    if ngx.var[all[i].var] then
      kong.log.set_serialize_value(all[i].key, "REDACTED", EXISTING)
    end
  end
end


local spooled = false

-- tell_spooled warns once that bodies are written to files, which costs more than
-- everything else that is done with them here.
local function tell_spooled()
  if not spooled and ngx.var.request_body_file then
    spooled = true
    kong.log.warn("a request's body was written to a file, as it did not fit into nginx's buffer: ",
      "set nginx_proxy_client_body_buffer_size (1m holds most prompts)")
  end
end


relays.prepare()

local Handler = {
  PRIORITY = 770,
  VERSION = "1.0.0",
}

-- hide keeps a plugin server's process out of Kong's configuration. Kong 3.9 puts
-- it there, and cannot write its configuration any more where it is asked for it
-- (GET / of the Admin API, a data plane that joins): no JSON encoder can write a
-- process.
local function hide(server)
  local process
  setmetatable(server, {
    __index = function(_, name)
      return name == "proc" and process or nil
    end,
    __newindex = function(t, name, value)
      if name == "proc" then
        process = value
      else
        rawset(t, name, value)
      end
    end,
  })
end

function Handler:init_worker()
  local servers = kong.configuration.pluginservers
  for _, server in ipairs(type(servers) == "table" and servers or {}) do
    hide(server)
  end
  removed.start()
end

function Handler:access(conf)
  local ok, err = pcall(send_to_relay, conf)
  if not ok then
    relays.drop(conf)
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

  local state = ngx.ctx[STATE]
  if not state then
    return
  end
  if not state.answered then
    name_relay(ngx.ctx, state)
  end
  ok, err = pcall(put_record, state)
  if not ok then
    say(kong.log.warn, "no AI record in the log entry", err)
  end
  tell_failure(state)
  tell_spooled()
end

return Handler
