package openai

import (
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// executed reads what Groq's servers ran, an element of executed_tools of a message or a
// delta; nil for a tool that is not known. Groq takes none of it back.
// https://console.groq.com/docs/api-reference#chat-create
func executed(v *jsonedit.Value) *chat.Run {
	arguments := v.GetString("arguments")
	run := &chat.Run{Kind: kindOfExecuted(v.GetString("type") + " " + v.GetString("name")), Name: v.GetString("type"), Input: arguments}
	if run.Kind == "" {
		return nil
	}
	for _, name := range [...]string{"query", "code", "url"} {
		if s, _ := jsonedit.String(jsonedit.Lookup([]byte(arguments), name)); s != "" {
			run.Input = s
			break
		}
	}
	return run
}

// kindOfExecuted is the kind of a tool by its type and its name: "search",
// "browser_search browser.open", "python", "visit".
func kindOfExecuted(name string) chat.Hosted {
	for _, known := range [...]struct {
		word string
		kind chat.Hosted
	}{{"open", chat.WebFetch}, {"visit", chat.WebFetch}, {"search", chat.WebSearch}, {"python", chat.CodeExecution}, {"code", chat.CodeExecution}} {
		if strings.Contains(name, known.word) {
			return known.kind
		}
	}
	return ""
}

// readExecuted reads what came of a run, and reports whether anything did.
func readExecuted(run *chat.Run, v *jsonedit.Value) bool {
	any := false
	for _, name := range [...]string{"output", "search_results", "code_results", "browser_results"} {
		any = any || orNull(v.Get(name)).Type() != jsonedit.TypeNull
	}
	if !any {
		return false
	}
	for _, page := range v.GetArray("search_results", "results") {
		if url := page.GetString("url"); url != "" && len(run.Sources) < parallel {
			run.Sources = append(run.Sources, chat.Citation{URL: url, Title: page.GetString("title")})
		}
	}
	if run.Kind == chat.WebSearch {
		return true
	}
	run.Output = chat.Clip(v.GetString("output"))
	return true
}

// ranTools are the runs of a whole answer.
func ranTools(m *jsonedit.Value) (parts []chat.Part) {
	for _, v := range m.GetArray("executed_tools") {
		if run := executed(v); run != nil {
			readExecuted(run, v)
			parts = append(parts, chat.Part{Kind: chat.HostedRun, Run: run})
		}
	}
	return parts
}

// executing are the runs of a choice of a stream that have begun, by their index.
type executing map[int]*chat.Run

// ran tells of the tools in a delta: each comes when it begins, and again with its output.
func (s *upstreamStream) ran(choice int, d *jsonedit.Value) {
	for _, v := range d.GetArray("executed_tools") {
		for len(s.executing) <= choice {
			s.executing = append(s.executing, executing{})
		}
		index := v.GetInt("index")
		run, begun := s.executing[choice][index]
		if !begun {
			if run = executed(v); run == nil || len(s.executing[choice]) >= parallel {
				continue
			}
			s.executing[choice][index] = run
			s.add(chat.Delta{Kind: chat.RunStart, Choice: choice, Run: run})
		}
		if run != nil && readExecuted(run, v) {
			s.executing[choice][index] = nil // it is over
			s.add(chat.Delta{Kind: chat.RunEnd, Choice: choice, Run: run})
		}
	}
}
