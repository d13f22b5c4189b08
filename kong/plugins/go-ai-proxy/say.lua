-- say logs an error, but each one only once in a while: an error of every request must
-- not fill the disk. The next line says how often it happened in between.

local SPARE_LOG = 10 -- seconds for which a repeated line is only counted
local LONGEST_TEXT = 300 -- bytes of an error in a line

local format = string.format
local gsub = string.gsub
local sub = string.sub

local said = {} -- by the text of the line

-- clean returns a text that may be logged: one line of limited length.
local function clean(text)
  return (gsub(sub(tostring(text), 1, LONGEST_TEXT), "%c", " "))
end

return function(log, what, err)
  local text = clean(err)
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
