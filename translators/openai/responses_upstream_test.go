package openai

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

var byResponses = Provider.Operations[route.Chat].Instead.Operation

func reasoner(model string) *target.Target {
	return &target.Target{Provider: "openai", Route: route.Chat, Model: model, Options: &target.Options{}}
}

// askedFor is the Responses request for a chat request with these members.
func askedFor(t *testing.T, model, members string) string {
	t.Helper()
	r, err := chat.ParseRequest(Chat, []byte(`{"model":"m",`+members+`}`))
	if err != nil {
		t.Fatal(err)
	}
	body, err := byResponses.AppendRequest(nil, reasoner(model), r)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(body) {
		t.Fatalf("no JSON: %s", body)
	}
	return string(body)
}

func TestChatRequestsBecomeItems(t *testing.T) {
	for name, c := range map[string]struct{ ask, want string }{
		"texts": {`[{"role":"developer","content":"be brief"},{"role":"user","name":"ann","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"assistant","content":"c"},{"role":"user","content":""}]`,
			`[{"type":"message","role":"system","content":"be brief"},{"type":"message","role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_text","text":"b"}]},{"type":"message","role":"assistant","content":"c"},{"type":"message","role":"user","content":""}]`},
		"calls and results": {`[{"role":"user","content":"x"},{"role":"assistant","content":"I look.","tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":""}},{"id":"toolu:2","type":"function","function":{"name":"g","arguments":"{\"a\":1.0}"}}]},{"role":"tool","tool_call_id":"call_1","content":"one"},{"role":"tool","tool_call_id":"toolu:2","content":""}]`,
			`[{"type":"message","role":"user","content":"x"},{"type":"message","role":"assistant","content":"I look."},{"type":"function_call","call_id":"call_1","name":"f","arguments":"{}"},{"type":"function_call","call_id":"$2","name":"g","arguments":"{\"a\":1.0}"},{"type":"function_call_output","call_id":"call_1","output":"one"},{"type":"function_call_output","call_id":"$2","output":""}]`},
		"media": {`[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x.test/a.png","detail":"low"}},{"type":"file","file":{"file_id":"file-1"}},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE"}},{"type":"input_audio","input_audio":{"data":"UklG","format":"wav"}}]}]`,
			`[{"type":"message","role":"user","content":[{"type":"input_image","image_url":"https://x.test/a.png","detail":"low"},{"type":"input_file","file_id":"file-1"},{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE"},{"type":"input_audio","input_audio":{"data":"UklG","format":"wav"}}]}]`},
		"refusal": {`[{"role":"assistant","content":null,"refusal":"no"}]`, `[{"type":"message","role":"assistant","content":[{"type":"refusal","refusal":"no"}]}]`},
		"thoughts": {`[{"role":"assistant","content":"a","reasoning_content":"not ours","thinking_blocks":[{"type":"thinking","thinking":"t","signature":"` + origin.Text("openai", origin.Anthropic, "c2VhbA==") + `"},{"type":"redacted_thinking","data":"` + origin.Text("openai", origin.Anthropic, "c2VjcmV0") + `"}]}]`,
			`[{"type":"reasoning","summary":[{"type":"summary_text","text":"t"}],"encrypted_content":"c2VhbA=="},{"type":"reasoning","summary":[],"encrypted_content":"c2VjcmV0"},{"type":"message","role":"assistant","content":"a"}]`},
		"thoughts of nobody": {`[{"role":"assistant","content":"a","reasoning_content":"t"}]`, `[{"type":"message","role":"assistant","content":"a"}]`},
	} {
		got := jsonedit.Lookup([]byte(askedFor(t, "gpt-5.4", `"messages":`+c.ask)), "input")
		if want := strings.ReplaceAll(c.want, "$2", itemIDs.Of("toolu:2", 0)); string(got) != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
}

func TestSettingsOfChatAreThoseOfResponses(t *testing.T) {
	const messages = `"messages":[{"role":"user","content":"x"}],`
	for _, c := range []struct{ model, ask, want, not string }{
		{"gpt-5.4", `"max_tokens":1`, `"max_output_tokens":16`, `"max_tokens"`},
		{"gpt-5.4", `"temperature":0.5,"top_p":0.1,"stop":["x"],"n":2,"seed":3`, `"store":false`, `temperature`},
		{"gpt-4.1", `"temperature":0.5,"top_p":0.1`, `"temperature":0.5,"top_p":0.1`, `encrypted_content`}, // models that do not reason refuse it
		{"gpt-5.4", `"reasoning_effort":"minimal"`, `"reasoning":{"effort":"low"},"include":["reasoning.encrypted_content"]`, `summary`},
		{"gpt-5", `"reasoning_effort":"minimal","web_search_options":{"search_context_size":"low","user_location":{"type":"approximate","approximate":{"city":"Oslo"}}}`,
			`"tools":[{"type":"web_search","search_context_size":"low","user_location":{"type":"approximate","city":"Oslo"}}],"reasoning":{"effort":"low"}`, `minimal`},
		{"gpt-5.4", `"store":true,"metadata":{"a":"b"},"user":"u","service_tier":"flex","safety_identifier":"s","prompt_cache_key":"k","prompt_cache_retention":"24h"`,
			`"store":true,"metadata":{"a":"b"},"user":"u","service_tier":"flex","prompt_cache_key":"k","prompt_cache_retention":"24h","safety_identifier":"s"`, `"store":false`},
		{"gpt-5.4", `"verbosity":"low","response_format":{"type":"json_schema","json_schema":{"schema":{"type":"object","additionalProperties":false},"strict":true}}`,
			`"text":{"format":{"type":"json_schema","name":"answer","schema":{"type":"object","additionalProperties":false},"strict":true},"verbosity":"low"}`, `response_format`},
		{"gpt-5.4", `"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false`,
			`"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}},"strict":false}],"tool_choice":{"type":"function","name":"f"},"parallel_tool_calls":false`, `"function":{`},
		{"o3-deep-research", `"max_tokens":100`, `"tools":[{"type":"web_search"}]`, `tool_choice`},
		{"computer-use-preview", `"max_tokens":100`, `"truncation":"auto"`, `effort`},
	} {
		got := askedFor(t, c.model, messages+c.ask)
		if !strings.Contains(got, c.want) || strings.Contains(got, c.not) {
			t.Errorf("%s %s:\n got %s\nwant %s and not %s", c.model, c.ask, got, c.want, c.not)
		}
	}
}

const citedItems = `[{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"one"},{"type":"summary_text","text":"two"}],"encrypted_content":"c2VhbA=="},` +
	`{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"q"}},` +
	`{"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"c2VjcmV0"},` +
	`{"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"naïve ","annotations":[]},{"type":"output_text","text":"words","annotations":[{"type":"url_citation","start_index":0,"end_index":5,"url":"https://x.test","title":"X"},{"type":"file_citation","index":2,"file_id":"file-1","filename":"a.pdf"}]}]},` +
	`{"type":"function_call","id":"fc_1","call_id":"call_1","name":"f","arguments":"{\"a\":1}"},` +
	`{"type":"custom_tool_call","id":"ctc_1","call_id":"call_2","name":"g","input":"x \"y\""}]`

// saidBy is a text of everything that deltas say.
func saidBy(deltas []chat.Delta) (all []string) {
	for _, d := range deltas {
		switch d.Kind {
		case chat.CitationDelta:
			all = append(all, fmt.Sprintf("cites %s %s %d-%d", d.Citation.URL, d.Citation.FileID, d.Citation.Start, d.Citation.End))
		case chat.RunStart:
			all = append(all, fmt.Sprintf("runs %s %s", d.Run.Kind, d.Run.Input))
		case chat.RunEnd:
			all = append(all, "ran "+string(d.Signature))
		case chat.Finish:
			all = append(all, "finish "+string(d.Reason))
		case chat.UsageDelta:
			all = append(all, fmt.Sprintf("usage %d %d %d %d %s", d.Usage.Prompt, d.Usage.Cached, d.Usage.Completion, d.Usage.Reasoning, d.Usage.ServiceTier))
		case chat.ErrorDelta:
			all = append(all, fmt.Sprintf("error %d %s %s %s", d.Err.Status, d.Err.Type, d.Err.Code, d.Err.Message))
		case chat.End:
			all = append(all, "end")
		case chat.Start:
			all = append(all, "start "+string(d.ID))
		default:
			all = append(all, fmt.Sprintf("%d #%d %s%s %s", d.Kind, d.Index, d.ID, d.Name, d.Text))
		}
	}
	return all
}

// readItems reads a stream of these events.
func readItems(t *testing.T, events ...string) (deltas []string) {
	t.Helper()
	s := byResponses.Chat.NewStream(reasoner("gpt-5.4"))
	for _, data := range events {
		got, err := s.Next(frame.Event{Data: []byte(data)})
		if err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		deltas = append(deltas, saidBy(got)...)
	}
	return deltas
}

// Items that come only as a whole, at their end or at the response's, are what they are
// in an answer that is not streamed.
func TestItemsAreReadFromPiecesAndFromTheWhole(t *testing.T) {
	response := `{"id":"resp_1","object":"response","status":"completed","error":null,"incomplete_details":null,"service_tier":"default","usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":14},"output":` + citedItems + `}`
	resp, err := byResponses.Chat.ParseResponse(reasoner("gpt-5.4"), []byte(response))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(resp.Choices[0].Citations), "[{https://x.test X   6 11} { a.pdf file-1  8 8}]"; got != want {
		t.Errorf("citations %s, want %s", got, want)
	}
	want := []string{
		"start resp_1", fmt.Sprintf("%d #0  one\n\ntwo", chat.ThinkingDelta), fmt.Sprintf("%d #0  c2VhbA==", chat.SignatureDelta),
		"runs web search q", `ran {"type":"web_search_call","status":"completed","action":{"type":"search","query":"q"}}`, fmt.Sprintf("%d #0  c2VjcmV0", chat.RedactedDelta),
		fmt.Sprintf("%d #0  naïve ", chat.TextDelta), fmt.Sprintf("%d #0  words", chat.TextDelta), "cites https://x.test  6-11", "cites  file-1 8-8",
		fmt.Sprintf(`%d #0 call_1f {"a":1}`, chat.ToolStart), fmt.Sprintf(`%d #1 call_2g {"input":"x \"y\""}`, chat.ToolStart), "usage 9 4 5 2 default", "finish tool_calls", "end",
	}
	created := `{"type":"response.created","response":{"id":"resp_1","status":"in_progress","output":[]}}`
	completed := `{"type":"response.completed","response":` + response + `}`
	events := []string{created}
	for i, item := range jsonedit.Elements([]byte(citedItems), nil) {
		events = append(events, fmt.Sprintf(`{"type":"response.output_item.done","output_index":%d,"item":%s}`, i, item))
	}
	if got := readItems(t, append(events, completed)...); !reflect.DeepEqual(got, want) {
		t.Errorf("items as a whole:\n got %q\nwant %q", got, want)
	}
	got := readItems(t, created, completed)
	slices.Sort(got) // the usage is behind the reason for the end
	slices.Sort(want)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the response as a whole:\n got %q\nwant %q", got, want)
	}
	thought := readItems(t, created,
		`{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"one"}`,
		`{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":1,"delta":"tw"}`,
		`{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":1,"delta":"o"}`,
		`{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","summary":[],"encrypted_content":"c2VhbA=="}}`)
	if got := strings.Join(thought, "|"); got != fmt.Sprintf("start resp_1|%[1]d #0  one|%[1]d #0  \n\n|%[1]d #0  tw|%[1]d #0  o|%[2]d #0  c2VhbA==", chat.ThinkingDelta, chat.SignatureDelta) {
		t.Errorf("a summary in pieces: %s", got)
	}
}

func TestFailedResponsesAreErrors(t *testing.T) {
	for _, c := range []struct{ event, want string }{
		{`{"type":"response.failed","response":{"status":"failed","error":{"code":"rate_limit_exceeded","message":"slow down"}}}`, "error 429 rate_limit_error rate_limit_exceeded slow down"},
		{`{"type":"response.failed","response":{"status":"failed","error":{"code":"context_length_exceeded","message":"too long"}}}`, "error 400 invalid_request_error context_length_exceeded too long"},
		{`{"type":"response.failed","response":{"status":"failed","error":{"code":"invalid_image","message":"no image"}}}`, "error 400 invalid_request_error invalid_image no image"},
		{`{"type":"response.failed","response":{"status":"failed","error":null}}`, "error 500 api_error  the provider's response is failed"},
		{`{"type":"error","code":"server_error","message":"gave up","param":null}`, "error 500 api_error server_error gave up"},
		{`{"type":"error","error":{"type":"invalid_request_error","code":null,"message":"bad"}}`, "error 0 invalid_request_error  bad"},
		{`{"error":{"message":"from a proxy"}}`, "error 0   from a proxy"},
	} {
		got := readItems(t, c.event)
		if last := got[len(got)-1]; last != c.want {
			t.Errorf("%s: %q, want %q", c.event, last, c.want)
		}
		if after := readItems(t, c.event, `{"type":"response.output_text.delta","output_index":0,"delta":"x"}`); len(after) != len(got) {
			t.Errorf("%s: goes on with %q", c.event, after)
		}
	}
	for _, body := range []string{`{"status":"failed","error":{"code":"server_error","message":"gave up"},"output":[]}`, `{"status":"cancelled","output":[]}`, `{"object":"response"}`, `[]`, `{`} {
		if _, err := byResponses.Chat.ParseResponse(reasoner("gpt-5.4"), []byte(body)); err == nil {
			t.Errorf("%s is taken for an answer", body)
		}
	}
}
