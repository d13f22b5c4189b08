-- Receives the records of requests that had not ended when their answers began, over
-- one connection per relay (relays are told apart by port). The relay sends a record
-- before the last byte of the answer, so that it is in the socket when the log phase
-- reads it. The log phase has no cosockets; reading what has arrived does not block.

local has_socket, socket = pcall(require, "socket") -- before socket.unix, which adds to it
local has_unix, unix_socket = pcall(require, "socket.unix")

local kong = kong
local ngx = ngx
local match = string.match
local format = string.format
local min = math.min
local max = math.max

local SOCKET = "/go-ai-proxy.%d.record.sock" -- in the Kong prefix, by the relay's port
local LEAVING = "leaving" -- sent instead of an id by a relay that is about to end
local REMOVED = "removed" -- sent to it instead of an id, with that of a plugin

-- Most records have arrived when the log phase looks. Waiting for the others blocks the
-- worker and all its requests, so the wait is limited.
local PATIENCE = 0.5 -- seconds for one record, at the most
local BURST = 0.5 -- seconds for several in a row
local SHARE = 0.25 -- of a worker's time on average
local REST = 1 -- seconds without a question after one that was not answered, unless the
local LONGEST_REST = 30 -- answer comes meanwhile; doubled each time up to this

local M = {
  -- on_gone is called with the port of a relay that leaves or has left.
  on_gone = function() end,
}

local links = {} -- by port

-- expected holds, by the request's id, the table that its record is put into.
local expected = setmetatable({}, { __mode = "v" })


-- lost closes the link to a relay that has closed it, or that may have received only a
-- part of a question.
local function lost(link)
  link.conn:close()
  link.conn = nil
  M.on_gone(link.port)
end


-- rest stops all waiting for this relay for a while, or until it has answered the
-- question about that id after all: then only the worker's time limit was reached.
local function rest(link, id)
  link.owed = id
  link.pause = min(max(link.pause * 2, REST), LONGEST_REST)
  link.awake = socket.gettime() + link.pause
end


-- limit sets how long the link's socket may block from now on.
local function limit(link, seconds)
  seconds = max(seconds, 0)
  if seconds > 0 or link.blocks ~= 0 then
    link.conn:settimeout(seconds, "b")
    link.conn:settimeout(seconds, "t")
    link.blocks = seconds
  end
end


-- read_line reads a record, waiting at most the given number of seconds, and returns
-- true, or nil and an error.
local function read_line(link, seconds)
  limit(link, seconds)
  local line, err, part = link.conn:receive("*l", link.part)
  if not line then
    link.part = part or ""
    if err ~= "timeout" then
      lost(link)
    end
    return nil, err
  end
  link.part = ""
  local id, record = match(line, "^(%S+) (.*)$")
  if id == LEAVING then
    M.on_gone(link.port)
  end
  if id and id == link.owed then
    link.owed, link.awake = nil, 0
  end
  local inbox = id and expected[id]
  if inbox then
    inbox.late = record
  end
  return true
end


-- read_all reads all records that have arrived.
local function read_all(link)
  while link.conn and read_line(link, 0) do end
end


-- expect arranges that the record with that id is put into inbox.late when it arrives.
function M.expect(id, inbox)
  expected[id] = inbox
end


-- watch reads what the relay has sent, and returns whether it is connected. Within one
-- turn of nginx's event loop it reads once, for all requests.
function M.watch(port)
  local link = links[port]
  if not link then
    return false
  end
  local now = ngx.now()
  if link.watched ~= now then
    link.watched = now
    read_all(link)
  end
  return link.conn ~= nil
end


-- connect returns the link to a relay. It does not wait: a relay that does not listen
-- now is tried again later.
local function connect(port, token)
  local link = links[port]
  if not link then
    for other, old in pairs(links) do -- of a process that has ended
      read_all(old)
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
  local ok, err = conn:connect(kong.configuration.prefix .. format(SOCKET, port))
  if ok then
    ok, err = conn:send(ngx.worker.pid() .. " " .. token .. "\n")
  end
  if ok then
    link.conn, link.part, link.blocks = conn, "", nil
  else
    conn:close()
    link.err = err
    rest(link)
  end
  return link
end


-- connected connects if necessary, and returns whether that relay can send records.
function M.connected(port, token)
  local ok, link = pcall(connect, port, token) -- an error is logged when a record is missing
  return ok and link.conn ~= nil
end


-- tell_removed tells a relay that Kong no longer has the plugin with that id.
function M.tell_removed(port, token, id)
  if not M.connected(port, token) then
    return -- it has ended, and with it all that it had
  end
  local link = links[port]
  link.conn:settimeout(0)
  if not link.conn:send(REMOVED .. " " .. id .. "\n") then
    lost(link)
  end
end


-- How long a worker may still block.
local credit, counted = BURST, 0

local function allowance()
  local now = socket.gettime()
  credit = min(BURST, credit + max(now - counted, 0) * SHARE)
  counted = now
  return min(credit, PATIENCE)
end


-- ask asks for a record that was not sent unasked, and waits for it. how tells the
-- relay whether the client has received the whole answer.
local function ask(link, id, inbox, how)
  local began = socket.gettime()
  local seconds = allowance()
  if began < link.awake or seconds < 0.001 then
    return nil, "the relay was slow to answer and is not asked for now"
  end
  limit(link, seconds)
  local ok, err = link.conn:send(id .. " " .. how .. "\n")
  if not ok then
    lost(link)
  end
  while ok and not inbox.late do
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


-- get returns the record of a request that had not ended when its answer began, as
-- JSON, or "" when the relay has none. With traced, the record includes what a span
-- needs. It raises an error if the relay does not answer.
function M.get(port, token, id, inbox, traced)
  if not (has_socket and has_unix) then
    error("LuaSocket is not installed")
  end
  if not inbox then -- the relay was given no id
    inbox = {}
    expected[id] = inbox
  end
  local link = connect(port, token)
  while link.conn and not inbox.late and read_line(link, 0) do end
  if not inbox.late then
    link = connect(port, token)
    if not link.conn then
      error(link.err or "the relay hung up", 0)
    end
    local how = (ngx.var.request_completion == "OK" and "over" or "left") .. (traced and " traced" or "")
    local ok, err = ask(link, id, inbox, how)
    if not ok then
      error(err, 0)
    end
  end
  expected[id] = nil
  return inbox.late
end

return M
