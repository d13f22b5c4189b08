package anthropic

import (
	"bytes"
	"fmt"
	"regexp"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// appendTools writes tools and tool_choice.
func appendTools(dst []byte, r *chat.Request, turns []chat.Turn) ([]byte, error) {
	search := r.Lookup("web_search_options")
	if len(r.Tools) == 0 && search == nil {
		if called := appendCalledTools(dst, turns); len(called) > len(dst) {
			return called, nil
		}
		return appendToolChoice(dst, r, false), nil
	}
	dst = append(dst, `,"tools":[`...)
	for i := range r.Tools {
		dst = jsonedit.AppendComma(dst)
		var err error
		if dst, err = appendTool(dst, &r.Tools[i], i); err != nil {
			return nil, err
		}
	}
	if search != nil {
		dst = appendWebSearch(jsonedit.AppendComma(dst), search)
	}
	return appendToolChoice(append(dst, ']'), r, true), nil
}

// serverTool matches the types of Anthropic's own tools, which end with a date,
// except for an MCP server's tools.
var serverTool = regexp.MustCompile(`^([a-z0-9_]+_20\d{6}|mcp_toolset|custom)$`)

func appendTool(dst []byte, t *chat.Tool, i int) ([]byte, error) {
	if t.Native != nil {
		v, err := jsonedit.Parse(t.Native)
		if err != nil || !serverTool.MatchString(text(v, "type")) || text(v, "name")+text(v, "mcp_server_name") == "" {
			return nil, &chat.RequestError{Field: fmt.Sprintf("tools[%d]", i),
				Message: "is no function and no tool that Anthropic has"}
		}
		return append(dst, t.Native...), nil
	}
	dst = append(dst, `{"name":`...)
	dst = jsonedit.AppendString(dst, t.Name)
	dst = t.Description.AppendOptional(dst, "description")
	dst = append(dst, `,"input_schema":`...)
	dst = appendInputSchema(dst, t.Parameters)
	if t.Strict != nil && *t.Strict {
		dst = append(dst, `,"strict":true`...)
	}
	return append(appendCacheControl(dst, t.CacheControl), '}'), nil
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
func appendToolChoice(dst []byte, r *chat.Request, tools bool) []byte {
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
	if mode == "" {
		return dst
	}
	dst = append(dst, `,"tool_choice":{"type":"`...)
	dst = append(dst, mode...)
	dst = append(dst, '"')
	if mode == "tool" {
		dst = jsonedit.AppendText(dst, "name", r.ToolChoice.Name)
	}
	if parallel && mode != "none" {
		dst = jsonedit.AppendBool(dst, "disable_parallel_tool_use", !*r.ParallelTools)
	}
	return append(dst, '}')
}

// appendWebSearch turns OpenAI's web_search_options into the server tool that every
// model has.
// https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool
func appendWebSearch(dst []byte, options chat.Raw) []byte {
	dst = append(dst, `{"type":"web_search_20250305","name":"web_search"`...)
	v, err := jsonedit.Parse(options)
	if err != nil {
		return append(dst, '}')
	}
	where := v.Get("user_location", "approximate")
	if where == nil {
		return append(dst, '}')
	}
	dst = append(dst, `,"user_location":{"type":"approximate"`...)
	for _, name := range []string{"city", "region", "country", "timezone"} {
		if s := where.GetStringBytes(name); len(s) > 0 {
			dst = jsonedit.AppendText(dst, name, s)
		}
	}
	return append(dst, '}', '}')
}
