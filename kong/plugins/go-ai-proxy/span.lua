-- A span of the request under Kong's own trace, by its tracing PDK: the
-- OpenTelemetry and Zipkin plugins export it with the others. Where Kong does not
-- trace, or does not sample the request, this does nothing.

local kong = kong
local ngx = ngx
local type = type
local ipairs = ipairs
local pairs = pairs

local NAME = "kong.gen_ai" -- as Kong Enterprise has it
local CLIENT = 3 -- the span's kind
local ERROR = 2 -- and its status

-- A list is an attribute since Kong 3.9 at the latest; 3.4 has an error in its log.
local LISTS = (kong.version_num or 0) >= 3009000

local M = {}

-- begin returns the time at which the request's span begins, in nanoseconds, or nil if
-- the request gets no span.
function M.begin(ctx)
  local root = ctx.KONG_SPANS and ctx.KONG_SPANS[1]
  if root and root.should_sample ~= false then
    return ngx.now() * 1e9
  end
end


-- put adds the span to the request's trace. attributes and events come from the
-- relay.
function M.put(ctx, began, attributes, events)
  local span = kong.tracing.start_span(NAME, {
    parent = ctx.KONG_SPANS[1],
    span_kind = CLIENT,
    start_time_ns = began,
  })
  for name, value in pairs(attributes) do
    if type(value) == "table" and not LISTS then
      value = table.concat(value, ",")
    end
    span:set_attribute(name, value)
  end
  for _, one in ipairs(events or {}) do
    span:add_event("gen_ai.attempt", one)
  end
  if attributes["error.type"] then
    span:set_status(ERROR)
  end
  span:finish()
end

return M
