package anthropic

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// The betas of tools that a translated request may offer. Those that have become
// generally available are harmless.
//
//	https://platform.claude.com/docs/en/agents-and-tools/mcp-connector
//	https://platform.claude.com/docs/en/agents-and-tools/tool-use/code-execution-tool
//	https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-fetch-tool
var betas = map[chat.Hosted]string{
	chat.MCP: "mcp-client-2025-11-20", chat.CodeExecution: "code-execution-2025-08-25", chat.WebFetch: "web-fetch-2025-09-10",
}

// Needs is the Needs of Anthropic's own API: the betas of hosted tools.
func Needs(r *chat.Request) [][2]string {
	value := ""
	seen := map[string]bool{}
	for i := range r.Tools {
		beta := betas[r.Tools[i].Hosted]
		if beta == "" || seen[beta] {
			continue
		}
		seen[beta] = true
		if value != "" {
			value += ","
		}
		value += beta
	}
	if value == "" {
		return nil
	}
	return [][2]string{{"Anthropic-Beta", value}}
}

// appendToolset writes the tools of an MCP server.
func appendToolset(dst []byte, s *chat.Server) []byte {
	dst = jsonedit.AppendText(append(dst, `{"type":"mcp_toolset"`...), "mcp_server_name", s.Label)
	if s.Allowed != nil {
		dst = append(dst, `,"default_config":{"enabled":false},"configs":{`...)
		for _, name := range s.Allowed {
			dst = append(jsonedit.AppendName(dst, name), `{"enabled":true}`...)
		}
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// appendServers writes the MCP servers of r, beside those that only Anthropic's own
// words can say.
func appendServers(dst []byte, r *chat.Request) []byte {
	own := r.Lookup("mcp_servers")
	if r.Hosts(chat.MCP) == nil {
		return jsonedit.AppendRaw(dst, "mcp_servers", own)
	}
	dst = append(jsonedit.AppendName(dst, "mcp_servers"), '[')
	known := map[string]bool{}
	for i := range r.Tools {
		if s := r.Tools[i].Server; s != nil && !known[s.Label] {
			known[s.Label] = true
			dst = jsonedit.AppendText(append(jsonedit.AppendComma(dst), `{"type":"url"`...), "url", s.URL)
			dst = append(jsonedit.AppendOptional(jsonedit.AppendText(dst, "name", s.Label), "authorization_token", s.Token), '}')
		}
	}
	if jsonedit.IsArray(own) {
		for _, s := range jsonedit.Elements(own, nil) {
			if v, err := jsonedit.Parse(s); err == nil && !known[v.GetString("name")] {
				dst = append(jsonedit.AppendComma(dst), s...)
			}
		}
	}
	return append(dst, ']')
}

// parseServers makes the toolsets among the tools those of servers that other makers'
// APIs can call, too. A toolset with some tools turned off is left as it is: others know
// lists of what may be called only.
func parseServers(r *chat.Request, list *jsonedit.Value) {
	servers := map[string]*jsonedit.Value{}
	for _, s := range list.GetArray() {
		servers[s.GetString("name")] = s
	}
	named := map[string]bool{}
	for i := range r.Tools {
		t := &r.Tools[i]
		if t.Hosted != chat.OtherHosted {
			continue
		}
		set, err := jsonedit.Parse(t.Native)
		if err != nil || set.GetString("type") != "mcp_toolset" {
			continue
		}
		name := set.GetString("mcp_server_name")
		named[name] = true
		if s := serverIn(servers[name], set); s != nil {
			*t = chat.ServerTool(t.Name, s, t.Native)
		}
	}
	for _, v := range list.GetArray() { // before 2025-11-20 a server had no toolset
		settings := v.Get("tool_configuration")
		if name := v.GetString("name"); !named[name] && (settings.Get("enabled") == nil || settings.GetBool("enabled")) {
			if s := serverIn(v, nil); s != nil {
				allowed := settings.Get("allowed_tools")
				for _, tool := range allowed.GetArray() {
					s.Allowed = append(s.Allowed, tool.GetString())
				}
				if s.Allowed == nil && allowed.Type() == jsonedit.TypeArray { // none is not all
					continue
				}
				r.Tools = append(r.Tools, chat.ServerTool("mcp_servers", s, nil))
			}
		}
	}
}

// serverIn is the server v with the tools that its toolset allows; nil if that cannot be
// said elsewhere.
func serverIn(v, set *jsonedit.Value) *chat.Server {
	s := &chat.Server{Label: v.GetString("name"), URL: v.GetString("url"), Token: v.GetString("authorization_token")}
	if s.URL == "" || s.Label == "" {
		return nil
	}
	all := set.Get("default_config", "enabled") == nil || set.GetBool("default_config", "enabled")
	possible := true
	set.Get("configs").GetObject().Visit(func(name []byte, config *jsonedit.Value) {
		on := config.GetBool("enabled") || all && config.Get("enabled") == nil
		if !all && on {
			s.Allowed = append(s.Allowed, string(name))
		}
		possible = possible && (on || !all)
	})
	if !possible || !all && s.Allowed == nil {
		return nil
	}
	return s
}
