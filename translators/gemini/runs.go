package gemini

import (
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// serverRuns pairs the parts of a candidate that tell of what Google ran: code and what
// came of it, which follows it, and where hosted tools stand beside functions, the calls of
// all others and their responses, which have one id.
//
//	https://ai.google.dev/gemini-api/docs/code-execution
//	https://ai.google.dev/gemini-api/docs/tool-combination
type serverRuns struct {
	run    *chat.Run     // code without a result yet, nil for none
	native []byte        // the part with the code
	calls  chat.OpenRuns // of other tools
	looked bool          // calls had a search, so that it is told of
}

// begin reads a part with code or with a call; nil for another.
func (r *serverRuns) begin(p *jsonedit.Value) *chat.Run {
	if call := p.Get("toolCall"); call != nil {
		run := runOfCall(call)
		if !r.calls.Begin(run, jsonedit.AppendValue(nil, p)) {
			return nil
		}
		r.looked = r.looked || run.Kind == chat.WebSearch
		return run
	}
	code := p.Get("executableCode")
	if code == nil {
		return nil
	}
	r.run = &chat.Run{Kind: chat.CodeExecution, ID: code.GetString("id"), Name: "code_execution", Input: code.GetString("code")}
	r.native = jsonedit.AppendValue(nil, p)
	return r.run
}

// runOfCall is the run of a toolCall. A tool that others have no word for is told of as
// one of a server of Google's.
func runOfCall(call *jsonedit.Value) *chat.Run {
	tool, args := call.GetString("toolType"), call.Get("args")
	run := &chat.Run{ID: call.GetString("id"), Name: strings.ToLower(tool)}
	switch tool {
	case "GOOGLE_SEARCH_WEB", "GOOGLE_SEARCH_IMAGE":
		run.Kind, run.Input = chat.WebSearch, givenTo(args, "query", "queries")
	case "URL_CONTEXT":
		run.Kind, run.Input = chat.WebFetch, givenTo(args, "url", "urls")
	default:
		run.Kind, run.Server, run.Input = chat.MCP, "google", "{}"
		if args.Type() == jsonedit.TypeObject {
			run.Input = string(jsonedit.AppendValue(nil, args))
		}
	}
	return run
}

// givenTo is what a tool was given, as one text: the member with it, or the one with a
// list.
func givenTo(args *jsonedit.Value, one, list string) string {
	all := []string{}
	if s := args.GetString(one); s != "" {
		all = append(all, s)
	}
	for _, s := range args.GetArray(list) {
		all = append(all, s.GetString())
	}
	return strings.Join(all, "; ")
}

// end reads a part with what came of the code before or of a call, which it returns with
// its token; nil for another part.
func (r *serverRuns) end(p *jsonedit.Value) (run *chat.Run, token string) {
	if response := p.Get("toolResponse"); response != nil {
		run, token = r.calls.End(response.GetString("id"), jsonedit.AppendValue(nil, p))
		if run != nil && run.Kind == chat.MCP && response.Get("response") != nil {
			run.Output = chat.Clip(string(jsonedit.AppendValue(nil, response.Get("response"))))
		}
		return run, token
	}
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

// appendRun writes the parts of a run that Google made: those that its token has. Models
// that do not join hosted tools and functions are told of calls in words.
func (w *writer) appendRun(turn string, run *chat.Part) {
	own, calls := partsOfRun(run.Signature)
	if calls && !w.joins {
		own, w.lost = nil, true
		if !run.Text.Empty() {
			own = [][]byte{append(run.Text.AppendMember([]byte{'{'}, "text"), '}')}
		}
	}
	for _, part := range own {
		w.open(turn)
		w.dst = append(jsonedit.AppendComma(w.dst), part...)
	}
}

// partsOfRun are the parts that the token of a run has. calls says whether they are a call
// and its response, which Google wants back whole, each with its signature.
func partsOfRun(token string) (parts [][]byte, calls bool) {
	if !jsonedit.IsArray([]byte(token)) || jsonedit.Valid([]byte(token)) != nil { // a client sends it
		return nil, false
	}
	for _, part := range jsonedit.Elements([]byte(token), nil) {
		for _, name := range [...]string{"executableCode", "codeExecutionResult", "toolCall", "toolResponse"} {
			if jsonedit.Lookup(part, name) != nil {
				parts, calls = append(parts, part), calls || strings.HasPrefix(name, "tool")
				break
			}
		}
	}
	return parts, calls
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
