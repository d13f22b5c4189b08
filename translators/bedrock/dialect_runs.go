package bedrock

import (
	"cmp"
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

// runID is the id of a run in blocks for a client, with a mark if another provider made
// it: Nova would be sent a search that it never made. n is made an id where the provider
// has none.
func runID(run *chat.Run, whose origin.Name, meta *chat.Meta, n int) string {
	id := cmp.Or(run.ID, "tooluse_"+meta.ID+"_"+strconv.Itoa(n))
	return origin.Text(whose, origin.Amazon, id)
}

// appendRunUse writes the block that begins a run, with its input or without.
func appendRunUse(dst []byte, run *chat.Run, id string, whole bool) []byte {
	tool := systemToolOf(run.Kind)
	dst = jsonedit.AppendText(append(dst, `{"toolUse":{`...), "toolUseId", id)
	dst = jsonedit.AppendText(jsonedit.AppendText(dst, "name", tool.name), "type", serverToolUse)
	if whole {
		dst = append(jsonedit.AppendName(dst, "input"), runInput(run)...)
	}
	return append(dst, "}}"...)
}

// runInput is the input of a run as an object.
func runInput(run *chat.Run) []byte {
	return append(jsonedit.AppendText([]byte{'{'}, systemToolOf(run.Kind).input[0], run.Input), '}')
}

// appendRunResult writes the block with what came of a run.
func appendRunResult(dst []byte, run *chat.Run, id string, whole bool) []byte {
	status := "success"
	if run.Failed {
		status = "error"
	}
	dst = jsonedit.AppendText(append(dst, `{"toolResult":{`...), "toolUseId", id)
	dst = jsonedit.AppendText(jsonedit.AppendText(dst, "status", status), "type", systemToolOf(run.Kind).result)
	if whole {
		dst = append(jsonedit.AppendName(dst, "content"), runContent(run)...)
	}
	return append(dst, "}}"...)
}

// runContent is what came of a run as the content of a result. Of a search Bedrock hides
// it; clients are told of the pages.
func runContent(run *chat.Run) []byte {
	if run.Kind == chat.CodeExecution {
		code := 0
		if run.Failed {
			code = 1
		}
		dst := jsonedit.AppendText([]byte(`[{"json":{`), "stdOut", run.Output)
		dst = jsonedit.AppendInt(append(dst, `,"stdErr":""`...), "exitCode", code)
		return append(jsonedit.AppendBool(dst, "isError", run.Failed), "}}]"...)
	}
	var pages []string
	for i := range run.Sources {
		pages = append(pages, run.Sources[i].URL)
	}
	return append(jsonedit.AppendText([]byte(`[{`), "text", cmp.Or(strings.Join(pages, "\n"), "[HIDDEN]")), "}]"...)
}

// runToken is the token of a run as redacted reasoning, which a client sends back and
// does not show; "" if nobody would take it back.
func runToken(token string, whose origin.Name) string {
	if token == "" || whose == origin.Amazon || whose == origin.Unknown {
		return ""
	}
	return origin.Text(whose, origin.Amazon, chat.MarkedRun(token)) // with a mark, which makes it base64
}

// appendRunBlocks writes the blocks of a run in a whole answer; nothing if the format has
// no tool of its kind. n counts the answer's runs.
func appendRunBlocks(dst []byte, p *chat.Part, meta *chat.Meta, n int) []byte {
	if p.Run == nil || systemToolOf(p.Run.Kind) == nil {
		return dst
	}
	whose := cmp.Or(p.Origin, meta.Origin)
	id := runID(p.Run, whose, meta, n)
	dst = appendRunUse(jsonedit.AppendComma(dst), p.Run, id, true)
	dst = appendRunResult(jsonedit.AppendComma(dst), p.Run, id, true)
	if token := runToken(p.Signature, whose); token != "" {
		dst = append(jsonedit.AppendText(append(jsonedit.AppendComma(dst), `{"reasoningContent":{`...), "redactedContent", blob(token)), "}}"...)
	}
	return dst
}

// appendRun writes that a system tool begins, or what came of it.
func (e *encoder) appendRun(dst []byte, d *chat.Delta) []byte {
	if d.Run == nil || systemToolOf(d.Run.Kind) == nil {
		return dst
	}
	if e.runs == nil {
		e.runs = map[*chat.Run]int{}
	}
	n, known := e.runs[d.Run]
	if !known {
		n = len(e.runs)
		e.runs[d.Run] = n
	}
	whose := cmp.Or(d.Origin, e.meta.Origin)
	id := runID(d.Run, whose, &e.meta, n)
	start, member, piece := appendRunUse(nil, d.Run, id, false), `{"toolUse":{"input":`, jsonedit.AppendBytes(nil, runInput(d.Run))
	if d.Kind == chat.RunEnd {
		start, member, piece = appendRunResult(nil, d.Run, id, false), `{"toolResult":`, runContent(d.Run)
	}
	dst = e.next(e.appendClose(dst), chat.HostedRun)
	e.payload = append(append(jsonedit.AppendName(e.index(e.open), "start"), start...), '}')
	dst = frame.AppendEventStream(dst, blockStart, e.payload)
	p := append(append(jsonedit.AppendName(e.index(e.open), "delta"), member...), piece...)
	if d.Kind == chat.RunStart {
		p = append(p, '}')
	}
	e.payload = append(p, "}}"...)
	dst = e.appendClose(frame.AppendEventStream(dst, blockDelta, e.payload))
	if token := runToken(string(d.Signature), whose); token != "" && d.Kind == chat.RunEnd {
		dst = e.appendText(dst, chat.RedactedThinking, `{"reasoningContent":{"redactedContent":`, []byte(blob(token)), `}}`)
		dst = e.appendClose(dst)
	}
	return dst
}

// toldOf is what other models are told of a block of a system tool: of code what was run
// and what came of it; of a search the answer says that.
func toldOf(name string, v *jsonedit.Value) chat.Part {
	if name == "toolUse" {
		if tool := ranBySystem(v); tool != nil && tool.kind == chat.CodeExecution {
			return chat.Told("[" + tool.name + ": " + string(rawOf(v.Get("input"))) + "]")
		}
		return chat.Told("")
	}
	run := chat.Run{Kind: chat.CodeExecution}
	if v.GetString("type") != systemToolOf(run.Kind).result {
		return chat.Told("")
	}
	if readRunResult(&run, jsonedit.AppendValue(nil, v)); run.Output == "" {
		return chat.Told("")
	}
	return chat.Told("[Result: " + run.Output + "]")
}
