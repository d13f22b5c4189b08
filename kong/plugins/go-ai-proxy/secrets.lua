-- Secrets of a configuration: those that Kong replaces while the configuration is
-- in use, and those that clients send in headers that Kong does not know for them.

local type = type
local pairs = pairs
local ipairs = ipairs
local gsub = string.gsub
local lower = string.lower

local M = {}


local function note(found, holder, name, value)
  found[#found + 1] = { holder = holder, name = name, value = value }
end


local function collect(found, record, top)
  for name, value in pairs(record) do
    if name ~= "$refs" and type(value) == "table" then
      collect(found, value)
    end
  end
  local refs = record["$refs"]
  if type(refs) ~= "table" then
    return
  end
  -- The configuration itself is not held on to: what is remembered of it goes
  -- with it.
  local holder = not top and record or nil
  for name, ref in pairs(refs) do
    local value = record[name]
    if type(ref) == "string" then
      note(found, holder, name, value)
    elseif type(ref) == "table" and type(value) == "table" then -- a list or a map of them
      for key in pairs(ref) do
        note(found, value, key, value[key])
      end
    end
  end
end


-- from_vaults returns where conf has values that Kong got from a vault, with the
-- values of now; nil when it has none. Kong writes a new value into the
-- configuration that it has given out, before each request.
function M.from_vaults(conf)
  local found = {}
  collect(found, conf, true)
  return found[1] and found
end


-- changed says whether Kong has replaced one of the values since.
function M.changed(conf, found)
  for i = 1, #found do
    local one = found[i]
    if (one.holder or conf)[one.name] ~= one.value then
      return true
    end
  end
  return false
end


local sent = setmetatable({}, { __mode = "k" }) -- by configuration

local function headers_of(conf)
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
  local all = {}
  for i, name in ipairs(names) do
    all[i] = { key = "request.headers." .. name, var = "http_" .. gsub(name, "-", "_") }
  end
  return all
end


-- sent_in returns the request headers in which a client may send a credential:
-- key is the name in the log entry, var nginx's variable.
function M.sent_in(conf)
  local all = sent[conf]
  if not all then
    all = headers_of(conf)
    sent[conf] = all
  end
  return all
end

return M
