package anthropic

import (
	"cmp"
	"strconv"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

// runBlocks are the names of Anthropic's tools for runs of other makers' tools, and the
// types of the blocks with their results.
var runBlocks = map[chat.Hosted][2]string{
	chat.WebSearch:     {"web_search", "web_search_tool_result"},
	chat.WebFetch:      {"web_fetch", "web_fetch_tool_result"},
	chat.CodeExecution: {"code_execution", "code_execution_tool_result"},
	chat.MCP:           {"", "mcp_tool_result"},
}

// tellable reports whether a client of this format can be told of a run.
func tellable(run *chat.Run) bool { return run != nil && runBlocks[run.Kind][1] != "" }

// runID is the id of a run in blocks for a client, with a mark if another provider made
// it: Claude would be sent a search that it never made. n is made an id where the
// provider has none.
func runID(run *chat.Run, whose origin.Name, meta *chat.Meta, n int) string {
	id := run.ID
	if id == "" {
		id = "srvtoolu_" + meta.ID + "_" + strconv.Itoa(n)
	}
	return origin.Text(whose, origin.Anthropic, id)
}

// appendRunUse writes the block that begins a run, with its input or with {}.
func appendRunUse(dst []byte, run *chat.Run, id string, input []byte) []byte {
	if run.Kind == chat.MCP {
		dst = jsonedit.AppendText(append(dst, `{"type":"mcp_tool_use"`...), "id", id)
		dst = jsonedit.AppendText(jsonedit.AppendText(dst, "name", run.Name), "server_name", run.Server)
	} else {
		dst = jsonedit.AppendText(append(dst, `{"type":"server_tool_use"`...), "id", id)
		dst = jsonedit.AppendText(dst, "name", runBlocks[run.Kind][0])
	}
	return append(jsonedit.AppendRaw(dst, "input", input), '}')
}

// runInput is the input of a run as an object.
func runInput(run *chat.Run) []byte {
	members := inputMembers[run.Kind]
	if len(members) > 0 {
		return append(jsonedit.AppendText([]byte{'{'}, members[0], run.Input), '}')
	}
	return appendInput(nil, jsonedit.Plain(cmp.Or(run.Input, "{}")))
}

// appendRunResult writes the block with what came of a run.
func appendRunResult(dst []byte, run *chat.Run, id string) []byte {
	dst = jsonedit.AppendText(jsonedit.AppendText(append(dst, '{'), "type", runBlocks[run.Kind][1]), "tool_use_id", id)
	switch {
	case run.Kind == chat.MCP:
		dst = append(jsonedit.AppendBool(dst, "is_error", run.Failed), `,"content":[`...)
		if run.Output != "" {
			dst = append(jsonedit.AppendText(append(dst, `{"type":"text"`...), "text", run.Output), '}')
		}
		return append(dst, "]}"...)
	case run.Kind == chat.CodeExecution:
		code := "0"
		if run.Failed {
			code = "1"
		}
		dst = jsonedit.AppendText(append(dst, `,"content":{"type":"code_execution_result"`...), "stdout", run.Output)
		return append(append(append(dst, `,"stderr":"","return_code":`...), code...), `,"content":[]}}`...)
	case run.Failed:
		dst = append(append(append(dst, `,"content":{"type":"`...), runBlocks[run.Kind][1]...), `_error","error_code":"unavailable"}}`...)
		return dst
	case run.Kind == chat.WebFetch:
		dst = jsonedit.AppendText(append(dst, `,"content":{"type":"web_fetch_result"`...), "url", run.Input)
		dst = append(jsonedit.AppendText(append(dst, `,"content":{"type":"document","source":{"type":"text","media_type":"text/plain"`...), "data", run.Output), '}')
		return append(dst, `,"title":null},"retrieved_at":null}}`...)
	}
	dst = append(dst, `,"content":[`...)
	for i := range run.Sources {
		s := &run.Sources[i]
		dst = jsonedit.AppendText(append(jsonedit.AppendComma(dst), `{"type":"web_search_result"`...), "url", s.URL)
		dst = append(jsonedit.AppendText(dst, "title", s.Title), `,"encrypted_content":"","page_age":null}`...)
	}
	return append(dst, "]}"...)
}

// appendRunToken writes the token of another provider's run as redacted thinking, which
// a client sends back and does not show.
func appendRunToken(dst []byte, token string, whose origin.Name) []byte {
	dst = append(dst, `{"type":"redacted_thinking","data":`...)
	return append(jsonedit.AppendString(dst, origin.Text(whose, origin.Anthropic, chat.MarkedRun(token))), '}')
}

// appendRunParts writes the blocks of a run in a whole answer.
func appendRunParts(dst []byte, p *chat.Part, meta *chat.Meta, n int) []byte {
	whose := cmp.Or(p.Origin, meta.Origin)
	id := runID(p.Run, whose, meta, n)
	dst = append(appendRunUse(dst, p.Run, id, runInput(p.Run)), ',')
	dst = appendRunResult(dst, p.Run, id)
	if chat.Carried(p.Signature, whose) {
		dst = appendRunToken(append(dst, ','), p.Signature, whose)
	}
	return dst
}

// beginRun writes that a hosted tool begins.
func (e *encoder) beginRun(dst []byte, d *chat.Delta) []byte {
	if !tellable(d.Run) {
		return dst
	}
	dst = e.appendBlockStart(e.appendClose(dst), chat.HostedRun)
	dst = append(appendRunUse(dst, d.Run, e.runID(d), []byte("{}")), "}\n\n"...)
	dst = e.appendDelta(dst, e.open, `{"type":"input_json_delta","partial_json":`, runInput(d.Run))
	return e.appendClose(dst)
}

// runID is the id of a delta's run, the same when it begins and when it ends.
func (e *encoder) runID(d *chat.Delta) string {
	n, known := e.runs[d.Run]
	if !known {
		if e.runs == nil {
			e.runs = map[*chat.Run]int{}
		}
		n = len(e.runs)
		e.runs[d.Run] = n
	}
	return runID(d.Run, cmp.Or(d.Origin, e.meta.Origin), &e.meta, n)
}

// endRun writes what came of a hosted tool.
func (e *encoder) endRun(dst []byte, d *chat.Delta) []byte {
	if !tellable(d.Run) {
		return dst
	}
	dst = e.appendBlockStart(e.appendClose(dst), chat.HostedRun)
	dst = e.appendClose(append(appendRunResult(dst, d.Run, e.runID(d)), "}\n\n"...))
	if whose := cmp.Or(d.Origin, e.meta.Origin); chat.Carried(string(d.Signature), whose) {
		dst = append(appendRunToken(e.appendBlockStart(dst, chat.RedactedThinking), string(d.Signature), whose), "}\n\n"...)
		dst = e.appendClose(dst)
	}
	return dst
}

// toldOf is what other models are told of the block of a server's tool: of code and an
// MCP tool what it was given and what came of it; of a search the answer says that.
func toldOf(b *jsonedit.Value, kind string) chat.Part {
	run := chat.Run{Kind: chat.CodeExecution}
	switch kind {
	case "mcp_tool_use", "server_tool_use":
		if kind == "mcp_tool_use" || runKinds[b.GetString("name")] == chat.CodeExecution {
			return chat.Told("[" + b.GetString("name") + ": " + string(raw(b, "input")) + "]")
		}
	case "mcp_tool_result", "code_execution_tool_result", "bash_code_execution_tool_result", "text_editor_code_execution_tool_result":
		if kind == "mcp_tool_result" {
			run.Kind = chat.MCP
		}
		if readRunResult(&run, b); run.Output != "" {
			return chat.Told("[Result: " + run.Output + "]")
		}
	}
	return chat.Told("")
}
