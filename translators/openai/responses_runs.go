package openai

import (
	"slices"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// runForm is how the API writes what a hosted tool did.
type runForm struct {
	kind   chat.Hosted
	item   string // type of the item
	prefix string // of its id
	begun  []string
	// told are the events for a piece and for the whole of what the tool was given, and
	// their member.
	told   [2]string
	member string
	runs   string // the event before the result, "" for none
	ended  string
	failed string // "" is ended
}

// runForms are the items of hosted tools. What reads a page is a search, too.
//
//	https://platform.openai.com/docs/api-reference/responses/object
//	https://platform.openai.com/docs/api-reference/responses-streaming
var runForms = []runForm{
	{kind: chat.WebSearch, item: "web_search_call", prefix: "ws_", begun: []string{"response.web_search_call.in_progress", "response.web_search_call.searching"}, ended: "response.web_search_call.completed"},
	{kind: chat.WebFetch, item: "web_search_call", prefix: "ws_", begun: []string{"response.web_search_call.in_progress", "response.web_search_call.searching"}, ended: "response.web_search_call.completed"},
	{kind: chat.FileSearch, item: "file_search_call", prefix: "fs_", begun: []string{"response.file_search_call.in_progress", "response.file_search_call.searching"}, ended: "response.file_search_call.completed"},
	{
		kind: chat.CodeExecution, item: "code_interpreter_call", prefix: "ci_", begun: []string{"response.code_interpreter_call.in_progress"},
		told: [2]string{"response.code_interpreter_call_code.delta", "response.code_interpreter_call_code.done"}, member: "code",
		runs: "response.code_interpreter_call.interpreting", ended: "response.code_interpreter_call.completed",
	},
	{
		kind: chat.MCP, item: "mcp_call", prefix: "mcp_", begun: []string{"response.mcp_call.in_progress"},
		told: [2]string{"response.mcp_call_arguments.delta", "response.mcp_call_arguments.done"}, member: "arguments",
		ended: "response.mcp_call.completed", failed: "response.mcp_call.failed",
	},
}

// formOfRun returns the form of a kind of hosted tool, nil if there is none.
func formOfRun(kind chat.Hosted) *runForm {
	i := slices.IndexFunc(runForms, func(f runForm) bool { return f.kind == kind })
	if i < 0 {
		return nil
	}
	return &runForms[i]
}

// addRun begins the item of a run, which has a form.
func (r *response) addRun(run *chat.Run) *item {
	return r.addItem(&item{kind: runItem, run: run}, formOfRun(run.Kind).prefix)
}

// addWholeRun adds a run with its result, and with its token behind it. Without one there
// is its maker's mark alone, by which others know that the item is not theirs.
func (r *response) addWholeRun(run *chat.Run, token string) {
	if run == nil || formOfRun(run.Kind) == nil {
		return
	}
	r.addRun(run).ran = true
	if token != "" {
		it := r.add(reasoningItem)
		it.sealed = append(append(it.sealed, sealedRun...), token...)
	}
}

// runStatus is the status of a run's item. That code fails is a result like others.
func (it *item) runStatus(status string) string {
	switch {
	case status == inProgress:
		return status
	case !it.ran, it.run.Failed && it.run.Kind != chat.CodeExecution:
		return failed
	}
	return "completed"
}

// appendRun writes the members of a run's item behind its id.
func (it *item) appendRun(dst []byte, status string) []byte {
	run := it.run
	dst = jsonedit.AppendText(dst, "type", formOfRun(run.Kind).item)
	dst = jsonedit.AppendText(dst, "status", it.runStatus(status))
	begun := status == inProgress
	switch run.Kind {
	case chat.WebSearch, chat.WebFetch:
		dst = append(jsonedit.AppendName(dst, "action"), '{')
		if run.Kind == chat.WebFetch {
			return append(jsonedit.AppendText(jsonedit.AppendText(dst, "type", "open_page"), "url", run.Input), '}')
		}
		dst = jsonedit.AppendText(jsonedit.AppendText(dst, "type", "search"), "query", run.Input)
		if !begun && len(run.Sources) > 0 {
			dst = append(jsonedit.AppendName(dst, "sources"), '[')
			for i := range run.Sources {
				dst = append(jsonedit.AppendText(append(jsonedit.AppendComma(dst), `{"type":"url"`...), "url", run.Sources[i].URL), '}')
			}
			dst = append(dst, ']')
		}
		return append(dst, '}')
	case chat.FileSearch:
		return append(append(jsonedit.AppendString(append(jsonedit.AppendName(dst, "queries"), '['), run.Input), ']'), `,"results":null`...)
	case chat.CodeExecution:
		code := run.Input
		if begun {
			code = ""
		}
		dst = jsonedit.AppendText(jsonedit.AppendText(dst, "container_id", ""), "code", code)
		dst = append(jsonedit.AppendName(dst, "outputs"), '[')
		if !begun && run.Output != "" {
			dst = append(jsonedit.AppendText(append(dst, `{"type":"logs"`...), "logs", run.Output), '}')
		}
		return append(dst, ']')
	}
	arguments, output, wrong := run.Input, run.Output, ""
	switch {
	case begun:
		arguments, output = "", ""
	case run.Failed:
		output, wrong = "", run.Output
	}
	dst = jsonedit.AppendText(jsonedit.AppendText(dst, "server_label", run.Server), "name", run.Name)
	dst = jsonedit.AppendText(dst, "arguments", arguments)
	dst = appendTextOrNull(appendTextOrNull(dst, "output", output), "error", wrong)
	return append(dst, `,"approval_request_id":null`...)
}

// run writes that a hosted tool begins.
func (e *responsesEncoder) run(dst []byte, run *chat.Run) []byte {
	if run == nil || formOfRun(run.Kind) == nil {
		return dst
	}
	dst = e.settle(dst)
	f, it := formOfRun(run.Kind), e.response.addRun(run)
	dst = e.added(dst, it)
	for _, name := range f.begun {
		dst = closeEvent(e.of(dst, name, it))
	}
	if f.member != "" {
		if run.Input != "" {
			dst = closeEvent(jsonedit.AppendText(e.of(dst, f.told[0], it), "delta", run.Input))
		}
		dst = closeEvent(jsonedit.AppendText(e.of(dst, f.told[1], it), f.member, run.Input))
	}
	if f.runs != "" {
		dst = closeEvent(e.of(dst, f.runs, it))
	}
	return dst
}

// ran writes what came of a hosted tool, and its token behind it.
func (e *responsesEncoder) ran(dst []byte, run *chat.Run, token []byte) []byte {
	for i := len(e.response.items) - 1; i >= 0; i-- {
		it := e.response.items[i]
		if it.kind != runItem || it.run != run || it.done {
			continue
		}
		it.ran = true
		dst = e.finish(e.settle(dst), it)
		if len(token) > 0 {
			dst = e.seal(dst, sealedRun, token)
		}
		break
	}
	return dst
}

// finishRun writes the event that ends a run.
func (e *responsesEncoder) finishRun(dst []byte, it *item) []byte {
	f := formOfRun(it.run.Kind)
	name := f.ended
	if f.failed != "" && it.runStatus("") == failed {
		name = f.failed
	}
	return closeEvent(e.of(dst, name, it))
}
