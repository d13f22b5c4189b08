package gemini

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// runsIn are the runs of an answer in words: what was given, what came, and whether it
// can go back.
func runsIn(runs []chat.Part) string {
	var all []string
	for _, p := range runs {
		if p.Kind != chat.HostedRun {
			continue
		}
		s := string(p.Run.Kind) + ": " + p.Run.Input + " -> " + p.Run.Output
		for _, page := range p.Run.Sources {
			s += page.URL
		}
		if p.Run.Failed {
			s += " failed"
		}
		if p.Signature != "" {
			s += " token"
		}
		all = append(all, s)
	}
	return strings.Join(all, "; ")
}

func TestRunsOfGoogleAreReadWholeAndStreamed(t *testing.T) {
	for name, c := range map[string]struct{ parts, metadata, want string }{
		"code and its result":      {`{"executableCode":{"code":"1+1"}},{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"2"}}`, "", "code execution: 1+1 -> 2 token"},
		"code that fails":          {`{"executableCode":{"code":"1/0"}},{"codeExecutionResult":{"outcome":"OUTCOME_FAILED","output":"no"}}`, "", "code execution: 1/0 -> no failed token"},
		"words between":            {`{"executableCode":{"code":"1"}},{"text":"a"},{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"1"}}`, "", "code execution: 1 -> 1 token"},
		"two":                      {`{"executableCode":{"code":"1"}},{"codeExecutionResult":{"outcome":"OUTCOME_OK"}},{"executableCode":{"code":"2"}},{"codeExecutionResult":{"outcome":"OUTCOME_OK"}}`, "", "code execution: 1 ->  token; code execution: 2 ->  token"},
		"code without a result":    {`{"executableCode":{"code":"1"}}`, "", "code execution: 1 -> "},
		"a result without code":    {`{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"1"}}`, "", ""},
		"searches":                 {`{"text":"a"}`, `{"webSearchQueries":["x","y"],"groundingChunks":[{"web":{"uri":"https://p.test"}}]}`, "web search: x -> ; web search: y -> https://p.test"},
		"calls":                    {callRun + `,{"toolCall":{"toolType":"URL_CONTEXT","id":"b","args":{"urls":["https://p.test"]}}},{"functionCall":{"name":"f","id":"c"}},{"toolResponse":{"toolType":"URL_CONTEXT","id":"b","response":{}}}`, `{"webSearchQueries":["x"]}`, "web search: x; y ->  token; web fetch: https://p.test ->  token"},
		"a call that others lack":  {`{"toolCall":{"toolType":"FILE_SEARCH","id":"a"}},{"toolResponse":{"toolType":"FILE_SEARCH","id":"a","response":{"n":1}}}`, "", `mcp: {} -> {"n":1} token`},
		"a call without response":  {`{"toolCall":{"toolType":"FILE_SEARCH","id":"a","args":{"q":1}}},{"toolResponse":{"id":"b"}}`, "", `mcp: {"q":1} -> `},
		"sources without a search": {`{"text":"a"}`, `{"groundingChunks":[{"web":{"uri":"https://p.test"}}]}`, ""},
	} {
		metadata := ""
		if c.metadata != "" {
			metadata = `,"groundingMetadata":` + c.metadata
		}
		body := `{"candidates":[{"content":{"parts":[` + c.parts + `]},"finishReason":"STOP"` + metadata + `}]}`
		resp, err := Generate.ParseResponse(&target.Target{}, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if got := runsIn(resp.Choices[0].Parts); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
		repeated := `{"candidates":[{"content":{"parts":[{"text":"b"}]}` + metadata + `}]}` // as streams have it
		s := Generate.NewStream(&target.Target{})
		var parts []chat.Part
		for _, ev := range []string{repeated, body} {
			deltas, err := s.Next(frame.Event{Data: []byte(ev)})
			if err != nil {
				t.Fatal(err)
			}
			for i := range deltas {
				switch d := &deltas[i]; d.Kind {
				case chat.RunStart:
					parts = append(parts, chat.Part{Kind: chat.HostedRun, Run: d.Run})
				case chat.RunEnd:
					parts[len(parts)-1].Signature = string(d.Signature)
				}
			}
		}
		if got := runsIn(parts); got != c.want {
			t.Errorf("%s, streamed: got %q, want %q", name, got, c.want)
		}
	}
}

const callRun = `{"toolCall":{"toolType":"GOOGLE_SEARCH_WEB","id":"a","args":{"queries":["x","y"]}},"thoughtSignature":"s"},{"toolResponse":{"toolType":"GOOGLE_SEARCH_WEB","id":"a","response":{"search_suggestions":"..."}},"thoughtSignature":"t"}`

// Models that do not join hosted tools with functions know no calls of them.
func TestCallsGoBackToModelsThatMakeThem(t *testing.T) {
	r := &chat.Request{Messages: []chat.Message{{Role: chat.User, Parts: []chat.Part{{Text: jsonedit.Plain("go")}}}, {Role: chat.Assistant, Parts: []chat.Part{{Kind: chat.HostedRun, Text: jsonedit.Plain("found"), Signature: "[" + callRun + "]"}}}}}
	vertex := &target.Target{Model: "gemini-3-flash", Options: &target.Options{}}
	vertex.Options.Gemini.APIEndpoint = "us-aiplatform.googleapis.com"
	for to, want := range map[*target.Target]string{
		{Model: "gemini-3-flash"}:   callRun,
		{Model: "gemini-99"}:        callRun,
		{Model: "gemini-2.5-flash"}: `{"text":"found"}`,
		vertex:                      `{"text":"found"}`,
	} {
		got, err := Generate.AppendRequest(nil, to, r)
		if want = `{"role":"model","parts":[` + want + `]}`; err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s: %s is not in %s, %v", to.Model, want, got, err)
		}
	}
}

// A client could send anything as a token.
func TestOnlyPartsOfRunsGoBackToGoogle(t *testing.T) {
	for token, want := range map[string]string{
		`[{"executableCode":{"code":"1"}},{"text":"x"},{"codeExecutionResult":{}}]`: `{"role":"model","parts":[{"executableCode":{"code":"1"}},{"codeExecutionResult":{}}]}`,
		`[{"text":"x"}]`: "", `{`: "", `[{"executableCode":`: "", "": "", `[1]`: "",
	} {
		w := writer{joins: true, begun: true}
		w.appendRun("model", &chat.Part{Signature: token})
		w.close()
		if got := string(w.dst); got != want {
			t.Errorf("%s: got %s, want %s", token, got, want)
		}
	}
}

// TestPaidSearchesAreCounted: each once and none that is empty; of older models all of an
// answer as one; in a stream the list comes with its last words.
func TestPaidSearchesAreCounted(t *testing.T) {
	const queries = `"groundingMetadata":{"webSearchQueries":["", "weather oslo", "weather bergen", "weather oslo", ""]}`
	const counted = `"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":2,"totalTokenCount":9}`
	said := func(more, rest string) []byte {
		return []byte(`{"candidates":[{"content":{"role":"model","parts":[{"text":"Rain."}]}` + more + `}]` + rest + `}`)
	}
	for model, want := range map[string]int{"gemini-3.8-flash": 2, "gemini-4-neon": 2, "": 2, "gemini-2.5-pro": 1, "models/gemini-2.0-flash": 1} {
		version := `,"modelVersion":"` + model + `"`
		whole := said(`,"finishReason":"STOP",`+queries, version+","+counted)
		var passed, streamed chat.Seen
		Meter.Whole(whole, &passed)
		resp, err := Generate.ParseResponse(&target.Target{}, whole)
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range [][]byte{said("", version+","+counted), said(`,"finishReason":"STOP",`+queries, version), said("", version+","+counted)} {
			Meter.Event(frame.Event{Data: event}, &streamed)
		}
		if passed.Usage.SearchUnits != want || resp.Usage.SearchUnits != want || streamed.Usage.SearchUnits != want {
			t.Errorf("%s: %d as it passes, %d translated, %d streamed, want %d", model, passed.Usage.SearchUnits, resp.Usage.SearchUnits, streamed.Usage.SearchUnits, want)
		}
	}
	if resp, err := Generate.ParseResponse(&target.Target{}, said(`,"finishReason":"STOP"`, ","+counted)); err != nil || resp.Usage.SearchUnits != 0 {
		t.Errorf("without a search: %v %+v", err, resp.Usage)
	}
}
