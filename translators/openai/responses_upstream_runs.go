package openai

import (
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// runOf is the run that an item is about, nil if it is of none. Items that only its own
// client could make something of, like the list of a server's tools, are none.
// https://platform.openai.com/docs/api-reference/responses/object#responses/object-output
func runOf(o *jsonedit.Value) *chat.Run {
	run := &chat.Run{ID: o.GetString("id"), Failed: o.GetString("status") == failed}
	switch o.GetString("type") {
	case "web_search_call":
		run.Kind, run.Name, run.Input = chat.WebSearch, "web_search", o.GetString("action", "query")
		if queries := o.GetArray("action", "queries"); run.Input == "" && len(queries) > 0 {
			run.Input = queries[0].GetString()
		}
		if url := o.GetString("action", "url"); url != "" {
			run.Kind, run.Input = chat.WebFetch, url
		}
		for _, s := range o.GetArray("action", "sources") {
			run.Sources = append(run.Sources, chat.Citation{URL: s.GetString("url"), Title: s.GetString("title")})
		}
	case "code_interpreter_call":
		run.Kind, run.Name, run.Input = chat.CodeExecution, "code_interpreter", o.GetString("code")
		var logs []string
		for _, out := range o.GetArray("outputs") {
			if s := out.GetString("logs"); s != "" {
				logs = append(logs, s)
			}
		}
		run.Output = chat.Clip(strings.Join(logs, "\n"))
	case "file_search_call":
		run.Kind, run.Name = chat.FileSearch, "file_search"
		if queries := o.GetArray("queries"); len(queries) > 0 {
			run.Input = queries[0].GetString()
		}
	case "mcp_call":
		run.Kind, run.Name, run.Server, run.Input = chat.MCP, o.GetString("name"), o.GetString("server_label"), o.GetString("arguments")
		run.Output = chat.Clip(o.GetString("output"))
		if wrong := orNull(o.Get("error")); wrong.Type() != jsonedit.TypeNull {
			if run.Failed, run.Output = true, wrong.GetString(); run.Output == "" {
				run.Output = string(jsonedit.AppendValue(nil, wrong))
			}
		}
	default:
		return nil
	}
	return run
}

// runToken is the token of a run: its item. A search has no id in it, as in Codex's
// requests: an API that stores nothing would look for what belonged to it.
func runToken(o *jsonedit.Value) string {
	native := jsonedit.AppendValue(nil, o)
	if o.GetString("type") == "web_search_call" {
		native = jsonedit.With(native, "id", nil)
	}
	return chat.RunToken(native)
}

// ran writes a run that the API made: the item that its token is.
func (w *itemWriter) ran(token string) {
	if isRun([]byte(token)) {
		w.dst = append(jsonedit.AppendComma(w.dst), token...)
	}
}

// isRun reports whether a token, which a client sends, is the item of a run.
func isRun(token []byte) bool {
	if !jsonedit.IsObject(token) || jsonedit.Valid(token) != nil {
		return false
	}
	kind, _ := jsonedit.String(jsonedit.Lookup(token, "type"))
	return runItems[kind]
}

// runItems are the types of items that are taken back.
var runItems = func() map[string]bool {
	types := map[string]bool{}
	for i := range runForms {
		types[runForms[i].item] = true
	}
	return types
}()
