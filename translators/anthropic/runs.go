package anthropic

import (
	"bytes"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// runKinds are Anthropic's tools of which others are told, by the names in
// server_tool_use.
//
//	https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool
//	https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-fetch-tool
//	https://platform.claude.com/docs/en/agents-and-tools/tool-use/code-execution-tool
var runKinds = map[string]chat.Hosted{
	"web_search": chat.WebSearch, "web_fetch": chat.WebFetch, "code_execution": chat.CodeExecution,
	"bash_code_execution": chat.CodeExecution, "text_editor_code_execution": chat.CodeExecution,
}

// runs pairs the blocks of server tools in an answer: what was asked, and what came.
type runs struct{ chat.OpenRuns }

// maxSources is how many pages of one search are told of.
const maxSources = 128

// begin reads the block that begins a run, with the input that came with it or after
// it. It returns nil for another block.
func (r *runs) begin(b *jsonedit.Value, input []byte) *chat.Run {
	run := &chat.Run{ID: b.GetString("id"), Name: b.GetString("name")}
	switch b.GetString("type") {
	case "server_tool_use":
		run.Kind = runKinds[run.Name]
	case "mcp_tool_use":
		run.Kind, run.Server = chat.MCP, b.GetString("server_name")
	}
	if run.Kind == "" {
		return nil
	}
	if !jsonedit.IsObject(input) || jsonedit.Valid(input) != nil {
		input = []byte("{}")
	}
	run.Input = string(input)
	for _, name := range inputMembers[run.Kind] {
		if s, ok := jsonedit.String(jsonedit.Lookup(input, name)); ok && s != "" {
			run.Input = s
			break
		}
	}
	if !r.Begin(run, bytes.Clone(jsonedit.With(b.JSON(), "input", input))) {
		return nil
	}
	return run
}

// inputMembers are those of a block's input that say what a run was given. An MCP tool
// is given all of it.
var inputMembers = map[chat.Hosted][]string{
	chat.WebSearch: {"query"}, chat.WebFetch: {"url"}, chat.CodeExecution: {"code", "command"},
}

// isRunResult reports whether a block is the result of a run.
func isRunResult(kind []byte) bool {
	return string(kind) != "tool_result" && blockTypes[string(kind)] && strings.HasSuffix(string(kind), "_tool_result")
}

// end reads the block that ends a run, which it returns with its token; nil if it ends
// none.
func (r *runs) end(b *jsonedit.Value) (run *chat.Run, token string) {
	if run, token = r.End(b.GetString("tool_use_id"), b.JSON()); run != nil {
		readRunResult(run, b)
	}
	return run, token
}

// readRunResult reads what came of a run.
func readRunResult(run *chat.Run, b *jsonedit.Value) {
	content := b.Get("content")
	run.Failed = b.GetBool("is_error") || strings.HasSuffix(content.GetString("type"), "_error")
	switch {
	case run.Failed && content.GetString("error_code") != "":
		run.Output = content.GetString("error_code")
	case run.Kind == chat.WebSearch:
		for _, page := range content.GetArray() {
			if url := page.GetString("url"); url != "" && len(run.Sources) < maxSources {
				run.Sources = append(run.Sources, chat.Citation{URL: url, Title: page.GetString("title")})
			}
		}
	case run.Kind == chat.WebFetch:
		run.Sources = []chat.Citation{{URL: content.GetString("url"), Title: content.GetString("content", "title")}}
		run.Output = chat.Clip(content.GetString("content", "source", "data"))
	case run.Kind == chat.CodeExecution:
		run.Failed = content.GetInt("return_code") != 0
		run.Output = chat.Clip(content.GetString("stdout") + content.GetString("stderr") + content.GetString("content"))
	case content.Type() == jsonedit.TypeString:
		run.Output = chat.Clip(content.GetString())
	default:
		var said []string
		for _, part := range content.GetArray() {
			said = append(said, part.GetString("text"))
		}
		run.Output = chat.Clip(strings.Join(said, "\n"))
	}
}

// appendRun writes a run that Claude's servers made: the blocks that its token has.
func appendRun(dst []byte, token string) []byte {
	if !jsonedit.IsArray([]byte(token)) || jsonedit.Valid([]byte(token)) != nil { // a client sends it
		return dst
	}
	start := len(dst)
	for _, block := range jsonedit.Elements([]byte(token), nil) {
		kind, _ := jsonedit.String(jsonedit.Lookup(block, "type"))
		if !isServers(kind) {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(dst, block...)
	}
	return dst
}
