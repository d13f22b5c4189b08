package gemini

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// codeRuns pairs the parts of a candidate that tell of code that Google ran: the code,
// and what came of it, which follows it.
// https://ai.google.dev/gemini-api/docs/code-execution
type codeRuns struct {
	run    *chat.Run // without a result yet, nil for none
	native []byte    // the part with its code
}

// begin reads a part with code; nil for another.
func (r *codeRuns) begin(p *jsonedit.Value) *chat.Run {
	code := p.Get("executableCode")
	if code == nil {
		return nil
	}
	r.run = &chat.Run{Kind: chat.CodeExecution, ID: code.GetString("id"), Name: "code_execution", Input: code.GetString("code")}
	r.native = jsonedit.AppendValue(nil, p)
	return r.run
}

// end reads a part with what came of the code before, which it returns with its token;
// nil for another part.
func (r *codeRuns) end(p *jsonedit.Value) (run *chat.Run, token string) {
	result := p.Get("codeExecutionResult")
	if result == nil || r.run == nil {
		return nil, ""
	}
	run, r.run = r.run, nil
	run.Failed = result.GetString("outcome") != "OUTCOME_OK"
	run.Output = chat.Clip(result.GetString("output"))
	native := append(append([]byte{'['}, r.native...), ',')
	return run, chat.RunToken(append(jsonedit.AppendValue(native, p), ']'))
}

// appendRun writes the parts of a run that Google made: those that its token has.
func (w *writer) appendRun(turn, token string) {
	if !jsonedit.IsArray([]byte(token)) || jsonedit.Valid([]byte(token)) != nil { // a client sends it
		return
	}
	for _, part := range jsonedit.Elements([]byte(token), nil) {
		if jsonedit.Lookup(part, "executableCode") != nil || jsonedit.Lookup(part, "codeExecutionResult") != nil {
			w.open(turn)
			w.dst = append(jsonedit.AppendComma(w.dst), part...)
		}
	}
}

// paidSearches is how many searches of an answer, or of a part of a stream, Google charges
// for: each that is not empty, once; of the older models, all of an answer as one.
// https://ai.google.dev/gemini-api/docs/google-search#pricing
func paidSearches(v *jsonedit.Value) int {
	var paid map[string]bool
	for _, c := range v.GetArray("candidates") {
		for _, q := range c.GetArray("groundingMetadata", "webSearchQueries") {
			if query := q.GetString(); query != "" {
				if paid == nil {
					paid = map[string]bool{}
				}
				paid[query] = true
			}
		}
	}
	if len(paid) > 0 && modelOf(v.GetString("modelVersion")).searchesAsOne {
		return 1
	}
	return len(paid)
}

// maxQueries is how many searches of one answer are told of.
const maxQueries = 32

// searches are what Google searched for. A stream has the list with its last words or
// with all of them, so that clients are told at the end, whole or streamed.
type searches struct{ list []*chat.Run }

// read reads the searches of a groundingMetadata, which replace those before. Which of
// them found a page is not said: the last one has all.
// https://ai.google.dev/gemini-api/docs/google-search
func (s *searches) read(metadata *jsonedit.Value) {
	queries := metadata.GetArray("webSearchQueries")
	if len(queries) == 0 {
		return
	}
	s.list = nil
	for _, q := range queries[:min(len(queries), maxQueries)] {
		s.list = append(s.list, &chat.Run{Kind: chat.WebSearch, Name: "google_search", Input: q.GetString()})
	}
	last := s.list[len(s.list)-1]
	for _, chunk := range metadata.GetArray("groundingChunks") {
		if page := chunk.Get("web"); page != nil {
			last.Sources = append(last.Sources, chat.Citation{URL: page.GetString("uri"), Title: page.GetString("title")})
		}
	}
}
