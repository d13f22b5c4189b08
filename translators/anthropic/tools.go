package anthropic

import (
	"bytes"
	"regexp"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// appendTools writes tools and tool_choice.
func appendTools(dst []byte, m *model, r *chat.Request, turns []chat.Turn) []byte {
	if len(r.Tools) == 0 {
		if called := appendCalledTools(dst, turns); len(called) > len(dst) {
			return called
		}
		return appendToolChoice(dst, m, r, false)
	}
	dst = append(dst, `,"tools":[`...)
	var strict []chat.Raw
	if !m.noSchema {
		strict = StrictTools(r)
	}
	for i := range r.Tools {
		dst = jsonedit.AppendComma(dst)
		if strict == nil || strict[i] == nil {
			dst = appendTool(dst, &r.Tools[i], nil)
		} else {
			dst = appendTool(dst, &r.Tools[i], strict[i])
		}
	}
	return appendToolChoice(append(dst, ']'), m, r, true)
}

// ownTypes matches the types of Anthropic's own tools: they carry a date, but for
// the tools of an MCP server.
var ownTypes = regexp.MustCompile(`^([a-z0-9_]+_20\d{6}|mcp_toolset)$`)

// isOwn says whether a tool is written as Anthropic's own.
func isOwn(t *chat.Tool) bool {
	if t.Native == nil {
		return false
	}
	v, err := jsonedit.Parse(t.Native)
	return err == nil && ownTypes.MatchString(v.GetString("type")) && v.GetString("name")+v.GetString("mcp_server_name") != ""
}

// hosted are the tools of Anthropic's servers for other makers' tools.
//
//	https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool
//	https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-fetch-tool
//	https://platform.claude.com/docs/en/agents-and-tools/tool-use/code-execution-tool
var hosted = map[chat.Hosted][2]string{ // type and name
	chat.WebSearch:     {"web_search_20250305", "web_search"},
	chat.WebFetch:      {"web_fetch_20250910", "web_fetch"},
	chat.CodeExecution: {"code_execution_20250825", "code_execution"},
}

// Hosts says which hosted tools Anthropic's own API has.
func Hosts(_ *target.Target, _ *chat.Request, tool *chat.Tool) bool {
	_, ok := hosted[tool.Hosted]
	return ok || tool.Server != nil || isOwn(tool)
}

// appendTool writes a tool, with the schema that is enforced, nil for none.
func appendTool(dst []byte, t *chat.Tool, strict chat.Raw) []byte {
	switch {
	case isOwn(t):
		return append(dst, t.Native...)
	case t.Server != nil:
		return appendToolset(dst, t.Server)
	case t.Hosted != "":
		return appendHosted(dst, t)
	}
	dst = append(dst, `{"name":`...)
	dst = jsonedit.AppendString(dst, t.Name)
	dst = t.Description.AppendOptional(dst, "description")
	dst = append(dst, `,"input_schema":`...)
	if strict != nil {
		dst = append(appendInputSchema(dst, strict), `,"strict":true`...)
	} else {
		dst = appendInputSchema(dst, t.Parameters)
	}
	return append(appendCacheControl(dst, t.CacheControl), '}')
}

// appendHosted writes another maker's tool as Anthropic's own.
func appendHosted(dst []byte, t *chat.Tool) []byte {
	own := hosted[t.Hosted]
	dst = jsonedit.AppendText(jsonedit.AppendText(append(dst, '{'), "type", own[0]), "name", own[1])
	if s := t.Search; s != nil {
		dst = jsonedit.AppendTexts(dst, "allowed_domains", s.Allowed)
		dst = jsonedit.AppendTexts(dst, "blocked_domains", s.Blocked)
		dst = jsonedit.AppendRaw(dst, "max_uses", s.MaxUses)
		if s.City+s.Region+s.Country+s.Timezone != "" {
			dst = append(jsonedit.AppendName(dst, "user_location"), `{"type":"approximate"`...)
			for _, m := range [...][2]string{{"city", s.City}, {"region", s.Region}, {"country", s.Country}, {"timezone", s.Timezone}} {
				dst = jsonedit.AppendOptional(dst, m[0], m[1])
			}
			dst = append(dst, '}')
		}
	}
	return append(dst, '}')
}

// appendInputSchema writes a schema unchanged, and adds "type", which Anthropic
// requires and OpenAI does not.
func appendInputSchema(dst []byte, schema chat.Raw) []byte {
	schema = bytes.TrimSpace(schema)
	if len(schema) == 0 || schema[0] != '{' {
		return append(dst, `{"type":"object","properties":{}}`...)
	}
	if bytes.HasPrefix(schema, []byte(`{"type":"object"`)) || typed(schema) {
		return append(dst, schema...)
	}
	dst = append(dst, `{"type":"object"`...)
	rest := bytes.TrimSpace(schema[1:])
	if rest[0] != '}' {
		dst = append(dst, ',')
	}
	return append(dst, rest...)
}

func typed(schema []byte) bool {
	v, err := jsonedit.Parse(schema)
	return err != nil || v.Exists("type")
}

// appendCalledTools declares the tools that are called in the history if the client
// no longer offers any: the API refuses tool blocks without tools. tool_choice none
// keeps the model from calling them.
func appendCalledTools(dst []byte, turns []chat.Turn) []byte {
	called := chat.CalledTools(turns)
	if len(called) == 0 {
		return dst
	}
	dst = append(jsonedit.AppendName(dst, "tools"), '[')
	for _, name := range called {
		dst = jsonedit.AppendText(append(jsonedit.AppendComma(dst), '{'), "name", name)
		dst = append(dst, `,"input_schema":{"type":"object"}}`...)
	}
	return append(dst, `],"tool_choice":{"type":"none"}`...)
}

// appendToolChoice maps the modes auto, none, required and function.
// https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools
func appendToolChoice(dst []byte, m *model, r *chat.Request, tools bool) []byte {
	parallel := tools && r.ParallelTools != nil
	mode := ""
	switch r.ToolChoice.Mode {
	case "auto", "none":
		mode = r.ToolChoice.Mode
	case "required":
		mode = "any"
	case "function":
		mode = "tool"
	default:
		if parallel {
			mode = "auto"
		}
	}
	if mode == "" || mode == "auto" && !tools { // which is refused alone, and says nothing
		return dst
	}
	if m.unforced && mode != "none" {
		mode = "auto" // the rest is in the words of appendSystem
	}
	dst = append(dst, `,"tool_choice":{"type":"`...)
	dst = append(dst, mode...)
	dst = append(dst, '"')
	if mode == "tool" {
		dst = jsonedit.AppendText(dst, "name", chosen(r))
	}
	if parallel && mode != "none" {
		dst = jsonedit.AppendBool(dst, "disable_parallel_tool_use", !*r.ParallelTools)
	}
	return append(dst, '}')
}

// chosen is the name of the tool that must be called, as it is called here.
func chosen(r *chat.Request) string {
	for i := range r.Tools {
		if t := &r.Tools[i]; t.Hosted != "" && t.Name == r.ToolChoice.Name && !isOwn(t) {
			return hosted[t.Hosted][1]
		}
	}
	return r.ToolChoice.Name
}
