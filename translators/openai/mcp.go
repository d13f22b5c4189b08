package openai

import (
	"slices"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
)

// serverOf is the MCP server of a tool; nil if only OpenAI can serve it: a connector of
// its own, headers of its own, or calls that the user has to approve, which other makers
// do not ask for.
// https://platform.openai.com/docs/guides/tools-connectors-mcp
func serverOf(o *jsonedit.Value) *chat.Server {
	s := &chat.Server{Label: o.GetString("server_label"), URL: o.GetString("server_url"), Token: o.GetString("authorization")}
	if s.URL == "" || s.Label == "" {
		return nil
	}
	own := false
	o.Get("headers").GetObject().Visit(func(name []byte, v *jsonedit.Value) {
		token, bearer := strings.CutPrefix(string(v.GetStringBytes()), "Bearer ")
		if bearer && strings.EqualFold(string(name), "authorization") && s.Token == "" {
			s.Token = token
		} else {
			own = true
		}
	})
	allowed := o.Get("allowed_tools")
	own = own || allowed.GetBool("read_only")
	if allowed.Get("tool_names") != nil {
		allowed = allowed.Get("tool_names")
	}
	for _, name := range allowed.GetArray() {
		s.Allowed = append(s.Allowed, name.GetString())
	}
	own = own || allowed.Type() == jsonedit.TypeArray && s.Allowed == nil // none is not all
	approval := o.Get("require_approval")
	switch {
	case own:
		return nil
	case approval.GetString() == "never":
	case len(approval.GetArray("never", "tool_names")) > 0: // those alone
		var free []string
		for _, name := range approval.GetArray("never", "tool_names") {
			if n := name.GetString(); s.Allowed == nil || slices.Contains(s.Allowed, n) {
				free = append(free, n)
			}
		}
		if s.Allowed = free; len(free) == 0 {
			return nil
		}
	default:
		return nil
	}
	return s
}

// appendHostedTool writes a hosted tool other than the web search.
func appendHostedTool(dst []byte, model *provider.Family, t *chat.Tool) []byte {
	if t.Hosted != chat.MCP {
		return append(dst, model.Runs[t.Hosted]...)
	}
	dst = jsonedit.AppendText(append(dst, `{"type":"mcp"`...), "server_label", t.Server.Label)
	dst = jsonedit.AppendText(dst, "server_url", t.Server.URL)
	dst = jsonedit.AppendOptional(dst, "authorization", t.Server.Token)
	dst = jsonedit.AppendTexts(dst, "allowed_tools", t.Server.Allowed)
	return append(dst, `,"require_approval":"never"}`...)
}

// appendHostedChoice writes that a hosted tool must be called.
func appendHostedChoice(dst []byte, req *chat.Request) []byte {
	kind := "web_search"
	for i := range req.Tools {
		if t := &req.Tools[i]; t.Name == req.ToolChoice.Name && t.Server != nil {
			dst = jsonedit.AppendText(append(dst, `,"tool_choice":{"type":"mcp"`...), "server_label", t.Server.Label)
			return append(dst, '}')
		} else if t.Name == req.ToolChoice.Name && t.Hosted != chat.WebSearch {
			kind = map[chat.Hosted]string{chat.CodeExecution: "code_interpreter", chat.ImageGeneration: "image_generation"}[t.Hosted]
		}
	}
	return append(jsonedit.AppendText(append(jsonedit.AppendName(dst, "tool_choice"), '{'), "type", kind), '}')
}
