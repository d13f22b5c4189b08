package chat

// Server is an MCP server whose tools the provider calls itself, without asking the
// user first.
type Server struct {
	Label   string   // the client's name for it
	URL     string   // https://…
	Token   string   // for its Authorization header, "" for none
	Allowed []string // the tools that may be called; nil for all
}

// ServerTool returns the hosted tool for a server. native is the client's JSON for it.
func ServerTool(name string, s *Server, native Raw) Tool {
	return Tool{Name: name, Hosted: MCP, Server: s, Native: native}
}
