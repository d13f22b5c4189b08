-- A stand-in for the few things of Kong that the shim uses: the PDK functions,
-- how plugins are run in each phase, and how a plugin ends a request. It
-- follows what Kong 3.9 does as seen from a plugin.

local cjson = require("cjson.safe")
local balancer = require("ngx.balancer")

local prefix = ngx.config.prefix()

-- namespaced gives a table that belongs to the request.
local function namespaced(key)
  return setmetatable({}, {
    __index = function(_, k)
      return (ngx.ctx[key] or {})[k]
    end,
    __newindex = function(_, k, v)
      ngx.ctx[key] = ngx.ctx[key] or {}
      ngx.ctx[key][k] = v
    end,
  })
end

local function send(answer)
  ngx.status = answer.status_code
  for name, value in pairs(answer.headers or {}) do
    ngx.header[name] = value
  end
  local body = answer.content
  if type(body) == "table" then
    ngx.header["Content-Type"] = "application/json; charset=utf-8"
    body = cjson.encode(body)
  end
  ngx.print(body or "")
  return ngx.exit(answer.status_code)
end

local function complain(level)
  return function(...)
    local text = table.concat({ ... })
    local phase = ngx.get_phase()
    if phase == "timer" or phase == "init" then -- of no request
      local file = assert(io.open(prefix .. "complaints", "a"))
      file:write(level, ": ", text, "\n")
      file:close()
      return
    end
    ngx.ctx.complaints = ngx.ctx.complaints or {}
    table.insert(ngx.ctx.complaints, level .. ": " .. text)
  end
end

kong = {
  configuration = { prefix = prefix:gsub("/$", ""), pluginservers = { { name = "go-ai-proxy" } } },
  ctx = { plugin = namespaced("plugin"), shared = namespaced("shared") },
  db = {
    plugins = {
      -- A test names in files the plugins that it has removed, and those it has disabled.
      select = function(_, key, options)
        assert(options.workspace == ngx.null)
        local function listed(name)
          local file = io.open(prefix .. name)
          local text = file and file:read("*a") or ""
          return text:find(key.id, 1, true) ~= nil, file and file:close()
        end
        if listed("unknown") then
          return nil, "the database does not answer"
        end
        return not listed("removed") and { id = key.id, enabled = not listed("disabled") } or nil
      end,
    },
  },
  log = {
    warn = complain("warn"),
    err = complain("err"),
    set_serialize_value = function(key, value, options)
      local ctx = ngx.ctx
      ctx.serialize_values = ctx.serialize_values or {}
      table.insert(ctx.serialize_values, { key = key, value = value, mode = options and options.mode or "set" })
    end,
  },
  tracing = {
    start_span = function(name, options)
      local span = { name = name, parent = options.parent.name, kind = options.span_kind, attributes = {}, events = {} }
      span.set_attribute = function(_, key, value) span.attributes[key] = value end
      span.add_event = function(_, event, attributes) table.insert(span.events, attributes) end
      span.set_status = function(_, status) span.status = status end
      span.finish = function() span.set_attribute, span.add_event, span.set_status, span.finish = nil, nil, nil, nil end
      table.insert(ngx.ctx.KONG_SPANS, span)
      return span
    end,
  },
  request = {
    get_id = function()
      return ngx.var.request_id
    end,
    get_raw_path = function()
      return (ngx.var.request_uri:gsub("%?.*", ""))
    end,
    get_uri_captures = function()
      return { unnamed = {}, named = cjson.decode(ngx.var.arg_captures and ngx.unescape_uri(ngx.var.arg_captures) or "{}") }
    end,
  },
  client = {
    get_forwarded_ip = function()
      return ngx.var.remote_addr
    end,
    get_consumer = function()
      return ngx.ctx.consumer
    end,
  },
  service = {
    set_target = function(host, port)
      ngx.ctx.balancer_data.host = host
      ngx.ctx.balancer_data.port = port
    end,
    request = {
      set_scheme = function(scheme)
        ngx.var.upstream_scheme = scheme
      end,
      set_header = ngx.req.set_header,
      clear_header = ngx.req.clear_header,
      set_body = function(body, media)
        assert(media == "application/json")
        ngx.req.read_body()
        ngx.req.set_body_data(cjson.encode(body))
      end,
    },
  },
  response = {
    exit = function(status, content, headers)
      local ctx = ngx.ctx
      ctx.source = "exit"
      ctx.delayed_response = ctx.delayed_response or
        { status_code = status, content = content, headers = headers }
      coroutine.yield()
    end,
    get_source = function()
      return ngx.ctx.source
    end,
  },
}

local handler = require("kong.plugins.go-ai-proxy.handler")
local confs = {} -- by the request's X-Test-Config
local requests = {} -- by connection: nginx forgets ngx.ctx when it goes to an error page

local function conf()
  local name = ngx.var.http_x_test_config or ""
  confs[name] = confs[name] or {
    name = name,
    auth = {},
    __seq__ = 7,
    __plugin_id = "plugin-" .. name,
    secret = ngx.var.http_x_test_secret and { value = ngx.var.http_x_test_secret, ["$refs"] = { value = "{vault://env/secret}" } },
    targets = { { auth = { header_name = "Api-Key" } }, { auth = { header_name = ngx.null } }, {} },
  }
  local secret = confs[name].secret
  if secret then -- Kong writes what the vault has into what it gave out
    secret.value = ngx.var.http_x_test_secret
  end
  return confs[name]
end

-- decorate does to a request what ai-prompt-decorator of Kong 3.9 does to it: it keeps
-- the whole request for the plugins of Kong, and sends the messages only.
local function decorate(ctx)
  ngx.req.read_body()
  local whole = cjson.decode(ngx.req.get_body_data())
  table.insert(whole.messages, 1, { role = "system", content = "Be brief." })
  ctx.ai_namespaced_ctx = { _global = { request_body_table = whole } }
  ctx.ai_request_body_table_source = ngx.var.http_x_test_ai
  ngx.req.set_body_data(cjson.encode({ messages = whole.messages }))
end

local function access()
  local ctx = ngx.ctx
  if ngx.var.http_x_test_ai then
    decorate(ctx)
  end
  ctx.balancer_data = { tries = { { ip = "127.0.0.1", port = 1 } } }
  if (ngx.var.http_x_test_trace or "") ~= "" then
    ctx.KONG_SPANS = { { name = "root", should_sample = ngx.var.http_x_test_trace == "sampled" } }
  end
  ctx.conf = conf()
  ctx.route = { id = "r1", name = ngx.var.http_x_test_route }
  if ngx.var.http_x_test_consumer then
    ctx.consumer = cjson.decode(ngx.var.http_x_test_consumer)
  end
  if ngx.var.http_x_test_groups then
    ctx.authenticated_groups = cjson.decode(ngx.var.http_x_test_groups)
  end
  requests[ngx.var.connection] = ctx

  local co = coroutine.create(handler.access)
  local ok, err = coroutine.resume(co, handler, ctx.conf)
  if not ok then
    ctx.delayed_response = { status_code = 500, content = { message = "plugin failed: " .. err } }
  end
  if ctx.delayed_response then
    return send(ctx.delayed_response)
  end
  ctx.source = "service"
end

local phases = { access = access }

function phases.balancer()
  local target = ngx.ctx.balancer_data
  target.ip, target.hostname = target.host, target.host
  target.tries = { { ip = target.ip, port = target.port } }
  assert(balancer.set_current_peer(target.ip, target.port))
end

function phases.error()
  ngx.ctx = requests[ngx.var.connection]
  ngx.ctx.source = "error"
  ngx.header["Content-Type"] = "application/json"
  ngx.print('{"message":"kong says ' .. ngx.status .. '"}')
end

function phases.header_filter()
  if ngx.ctx.conf then
    handler:header_filter(ngx.ctx.conf)
  end
  ngx.header["X-Worker"] = ngx.worker.pid()
end

function phases.log()
  local ctx = ngx.ctx
  requests[ngx.var.connection] = nil
  if not ctx.conf then
    return
  end
  local before = require("socket").gettime()
  handler:log(ctx.conf)
  local headers = ngx.req.get_headers()
  local root = { tries = ctx.balancer_data.tries, upstream_uri = ngx.var.upstream_uri }
  for _, item in ipairs(ngx.var.http_x_test_unlogged and {} or ctx.serialize_values or {}) do
    local header = item.key:match("^request%.headers%.(.+)$")
    if header then
      assert(item.mode == "replace")
      if headers[header] then
        headers[header] = item.value
      end
    else
      root[item.key] = item.value
    end
  end
  local file = assert(io.open(prefix .. "log", "a"))
  file:write(cjson.encode({
    status = ngx.status,
    uri = ngx.var.request_uri,
    source = ctx.source,
    headers = headers,
    record = root["ai.proxy"],
    tries = root.tries,
    upstream = root.upstream_uri,
    hostname = ctx.balancer_data.hostname,
    spans = ctx.KONG_SPANS,
    complaints = ctx.complaints,
    milliseconds = (require("socket").gettime() - before) * 1000,
  }), "\n")
  file:close()
end

function phases.init_worker()
  handler:init_worker()
  kong.configuration.pluginservers[1].proc = { handle = print } -- as Kong does with the process it has started
end

-- configuration writes Kong's configuration, as the Admin API does.
function phases.configuration()
  local servers = kong.configuration.pluginservers
  ngx.print(assert(cjson.encode(servers)), type(servers[1].proc.handle))
end

function phases.schema()
  ngx.print(cjson.encode(require("kong.plugins.go-ai-proxy.schema")))
end

-- The next request finds a new version of every configuration.
function phases.reconfigure()
  confs = {}
end

-- churn runs access for n configurations one after another, and says how many
-- bytes of memory that took for good.
function phases.churn(n)
  local function measure()
    collectgarbage()
    collectgarbage()
    return collectgarbage("count") * 1024
  end
  local function once()
    ngx.ctx.balancer_data = {}
    handler:access({})
  end
  for _ = 1, 100 do
    once()
  end
  local before = measure()
  for _ = 1, n do
    once()
  end
  ngx.ctx.source = "exit"
  ngx.say(measure() - before)
end

return phases
