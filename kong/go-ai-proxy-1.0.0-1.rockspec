-- The Lua part of the plugin. The program is installed by itself: see docs/getting-started.md.
package = "go-ai-proxy"
version = "1.0.0-1"
source = {
  url = "git+https://github.com/go-ai-proxy/go-ai-proxy.git",
  tag = "v1.0.0",
}
description = {
  summary = "Kong's AI gateway as one open-source plugin: the Lua part",
  detailed = [[
    AI Proxy and AI Proxy Advanced for open-source Kong 3.4 and later. The Lua part
    hooks an external plugin, the program go-ai-proxy, into Kong's header and log
    phases.
  ]],
  license = "Apache-2.0",
}
dependencies = {
  "lua >= 5.1", -- Kong brings LuaJIT, LuaSocket and lua-cjson
}
build = {
  type = "builtin",
  modules = {
    ["kong.plugins.go-ai-proxy.handler"] = "kong/plugins/go-ai-proxy/handler.lua",
    ["kong.plugins.go-ai-proxy.records"] = "kong/plugins/go-ai-proxy/records.lua",
    ["kong.plugins.go-ai-proxy.relays"] = "kong/plugins/go-ai-proxy/relays.lua",
    ["kong.plugins.go-ai-proxy.say"] = "kong/plugins/go-ai-proxy/say.lua",
    ["kong.plugins.go-ai-proxy.schema"] = "kong/plugins/go-ai-proxy/schema.lua",
    ["kong.plugins.go-ai-proxy.removed"] = "kong/plugins/go-ai-proxy/removed.lua",
    ["kong.plugins.go-ai-proxy.span"] = "kong/plugins/go-ai-proxy/span.lua",
    ["kong.plugins.go-ai-proxy.secrets"] = "kong/plugins/go-ai-proxy/secrets.lua",
  },
  -- Beside them; what is no .lua keeps its name.
  install = { lua = { ["kong.plugins.go-ai-proxy.json"] = "schema.json" } },
}
