-- The plugin's schema, from schema.json: the same that the plugin server gives
-- with -dump. Kong's command line (config parse, db_import, db_export) and a
-- control plane without the plugin server can ask nobody but this module.
--
-- schema.json is looked for beside this file, and at the root of the checkout
-- that this file is part of. Where it is not, Kong is told that there is no such
-- module, and asks the plugin server.

local cjson = require("cjson.safe")

local NAME = "kong.plugins.go-ai-proxy.schema"

local here = string.match(debug.getinfo(1, "S").source, "^@(.*/)") or "./"

local function read(path)
  local file = io.open(path)
  if not file then
    return nil
  end
  local text = file:read("*a")
  file:close()
  local schema, err = cjson.decode(text)
  if not schema then
    error(path .. ": " .. err)
  end
  return schema
end

local schema = read(here .. "schema.json") or read(here .. "../../../schema.json")
if schema then
  return schema
end

-- Kong asks several times. Without this, it would hear the second time that loading the
-- module has failed, and not start.
package.loaded[NAME] = nil
error("module '" .. NAME .. "' not found: no schema.json in " .. here .. " or three folders above")
