package anthropic

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/mock"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

const sonnet = "claude-sonnet-4-5"

func chatTarget(model string) *target.Target {
	return &target.Target{Provider: "anthropic", Route: "llm/v1/chat", Model: model, Options: &target.Options{}}
}

// translate turns an OpenAI body into Anthropic's for model, and shows it to
// the strict mock.
func translate(t *testing.T, model, body string) (map[string]any, error) {
	t.Helper()
	req, err := chat.ParseRequest(openai.Chat, []byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if _, err := Provider.Operations[route.Chat].Offer(chatTarget(model), req); err != nil {
		return nil, err
	}
	out, err := Messages.AppendRequest(nil, chatTarget(model), req)
	if err != nil {
		return nil, err
	}
	accepted(t, out)
	return decode(t, out), nil
}

// accepted fails the test when Anthropic would refuse body.
func accepted(t *testing.T, body []byte) {
	t.Helper()
	r := httptest.NewRequest("POST", "/v1/messages", nil)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("anthropic-version", DefaultVersion)
	if err := mock.ByName("anthropic/messages").Check(r, body); err != nil {
		t.Errorf("Anthropic refuses: %v\n%s", err, body)
	}
}

func decode(t *testing.T, body []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return m
}

func mustTranslate(t *testing.T, model, body string) map[string]any {
	t.Helper()
	m, err := translate(t, model, body)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// has compares members of m with JSON; "-" wants none.
func has(t *testing.T, m map[string]any, want map[string]string) {
	t.Helper()
	for name, w := range want {
		got, ok := m[name]
		if w == "-" {
			if ok {
				t.Errorf("%s: got %v, want none", name, got)
			}
			continue
		}
		var v any
		if err := json.Unmarshal([]byte(w), &v); err != nil {
			t.Fatalf("%s: %v", w, err)
		}
		if !reflect.DeepEqual(got, v) {
			b, _ := json.Marshal(got)
			t.Errorf("%s:\n got %s\nwant %s", name, b, w)
		}
	}
}

const hello = `"messages":[{"role":"user","content":"hello"}]`

func TestRequestsAreTranslated(t *testing.T) {
	const aTool = `,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{},"required":[]}}}]`
	tests := []struct {
		name, model, body string
		want              map[string]string
	}{
		{"the least", sonnet, `{` + hello + `}`, map[string]string{
			"model": `"claude-sonnet-4-5"`, "messages": `[{"role":"user","content":"hello"}]`, "max_tokens": `21333`, "stream": `false`,
			"system": "-", "tools": "-", "thinking": "-", "temperature": "-"}},
		{"system messages are joined wherever they stand", sonnet,
			`{"messages":[{"role":"system","content":"one"},{"role":"user","content":"a"},{"role":"developer","content":[{"type":"text","text":"two"},{"type":"text","text":" "}]},{"role":"user","content":"b"}]}`,
			map[string]string{"system": `"one\n\ntwo"`, "messages": `[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]`}},
		{"cache_control keeps system in blocks", sonnet,
			`{"messages":[{"role":"system","content":[{"type":"text","text":"one","cache_control":{"type":"ephemeral","ttl":"1h"}}]},{"role":"system","content":"two"},{"role":"user","content":"a"}]}`,
			map[string]string{"system": `[{"type":"text","text":"one","cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"text","text":"two"}]`}},
		{"an assistant may not begin", sonnet, `{"messages":[{"role":"assistant","content":"hi"},{"role":"user","content":"a"}]}`,
			map[string]string{"messages": `[{"role":"user","content":"."},{"role":"assistant","content":"hi"},{"role":"user","content":"a"}]`}},
		{"only a system message", sonnet, `{"messages":[{"role":"system","content":"s"}]}`,
			map[string]string{"system": `"s"`, "messages": `[{"role":"user","content":"."}]`}},
		{"prefill ends without white space", sonnet, `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"Once \n"}]}`,
			map[string]string{"messages": `[{"role":"user","content":"a"},{"role":"assistant","content":"Once"}]`}},
		{"images and documents", sonnet, `{"messages":[{"role":"user","content":[` +
			`{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0K"}},{"type":"image_url","image_url":{"url":"https://example.com/a.jpg"}},` +
			`{"type":"file","file":{"file_data":"data:application/pdf;base64,JVBERi0x","filename":"a.pdf"}},{"type":"file","file":{"file_id":"file_1"}}]}]}`,
			map[string]string{"messages": `[{"role":"user","content":[` +
				`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0K"}},{"type":"image","source":{"type":"url","url":"https://example.com/a.jpg"}},` +
				`{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0x"},"title":"a.pdf"},{"type":"document","source":{"type":"file","file_id":"file_1"}}]}]`}},
		{"plain text files are documents", sonnet, `{"messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"data:text/plain;base64,aGVsbG8="}}]}]}`,
			map[string]string{"messages": `[{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"hello"}}]}]`}},
		{"tools", sonnet, `{` + hello + `,"tools":[{"type":"function","function":{"name":"a","description":"d","strict":true,"parameters":{"type":"object","properties":{},"required":[]}}},` +
			`{"type":"function","function":{"name":"b"}},{"type":"function","function":{"name":"c","parameters":{"properties":{"x":{"type":"string"}}}},"cache_control":{"type":"ephemeral"}}]}`,
			map[string]string{"tools": `[{"name":"a","description":"d","input_schema":{"type":"object","properties":{},"required":[],"additionalProperties":false},"strict":true},` +
				`{"name":"b","input_schema":{"type":"object","properties":{}}},{"name":"c","input_schema":{"type":"object","properties":{"x":{"type":"string"}}},"cache_control":{"type":"ephemeral"}}]`}},
		{"tool_choice auto", sonnet, `{` + hello + aTool + `,"tool_choice":"auto"}`, map[string]string{"tool_choice": `{"type":"auto"}`}},
		{"tool_choice none", sonnet, `{` + hello + aTool + `,"tool_choice":"none"}`, map[string]string{"tool_choice": `{"type":"none"}`}},
		{"tool_choice required", sonnet, `{` + hello + aTool + `,"tool_choice":"required"}`, map[string]string{"tool_choice": `{"type":"any"}`}},
		{"tool_choice function", sonnet, `{` + hello + aTool + `,"tool_choice":{"type":"function","function":{"name":"f"}}}`, map[string]string{"tool_choice": `{"type":"tool","name":"f"}`}},
		{"one call at a time", sonnet, `{` + hello + aTool + `,"parallel_tool_calls":false}`, map[string]string{"tool_choice": `{"type":"auto","disable_parallel_tool_use":true}`}},
		{"web search", sonnet, `{` + hello + `,"web_search_options":{"user_location":{"type":"approximate","approximate":{"country":"FR","city":"Paris"}}}}`,
			map[string]string{"tools": `[{"type":"web_search_20250305","name":"web_search","user_location":{"type":"approximate","city":"Paris","country":"FR"}}]`}},
		{"sampling", "claude-3-5-sonnet-20241022", `{` + hello + `,"temperature":1.7,"top_p":0.5,"top_k":5,"stop":["x"," \n"],"max_tokens":9}`,
			map[string]string{"temperature": `1`, "top_p": `0.5`, "top_k": `5`, "stop_sequences": `["x"]`, "max_tokens": `9`}},
		{"temperature excludes top_p since 4.1", "claude-opus-4-1-20250805", `{` + hello + `,"temperature":0.7,"top_p":0.5}`, map[string]string{"temperature": `0.7`, "top_p": "-"}},
		{"newest models refuse sampling", "claude-opus-4-7", `{` + hello + `,"temperature":0.7,"top_p":0.5,"top_k":3}`, map[string]string{"temperature": "-", "top_p": "-", "top_k": "-", "max_tokens": `21333`}},
		{"who asks", sonnet, `{` + hello + `,"user":"u1","safety_identifier":"s1","service_tier":"priority","metadata":{"user_id":"m"}}`,
			map[string]string{"metadata": `{"user_id":"u1"}`, "service_tier": `"auto"`}},
		{"safety_identifier", sonnet, `{` + hello + `,"safety_identifier":"s1","service_tier":"default"}`, map[string]string{"metadata": `{"user_id":"s1"}`, "service_tier": `"standard_only"`}},
		{"structured outputs", sonnet, `{` + hello + `,"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","properties":{"a":{"type":"object","properties":{}}}}}}}`,
			map[string]string{"output_config": `{"format":{"type":"json_schema","schema":{"type":"object","properties":{"a":{"type":"object","properties":{},"additionalProperties":false}},"additionalProperties":false}}}`}},
		{"json_object", sonnet, `{` + hello + `,"response_format":{"type":"json_object"}}`, map[string]string{"system": `"Answer with one valid JSON object and nothing else."`, "output_config": "-"}},
		{"Anthropic's own members", "claude-opus-4-6", `{` + hello + `,"mcp_servers":[{"type":"url","name":"m","url":"https://m.example"}],"container":"c1","output_config":{"effort":"low"},"unknown":1}`,
			map[string]string{"mcp_servers": `[{"type":"url","name":"m","url":"https://m.example"}]`, "container": `"c1"`, "output_config": `{"effort":"low"}`, "unknown": "-"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { has(t, mustTranslate(t, tt.model, tt.body), tt.want) })
	}
}

func TestThinkingFollowsTheModel(t *testing.T) {
	const forced = `,"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required"`
	tests := []struct {
		name, model, more string
		want              map[string]string
	}{
		{"a budget raises max_tokens and drops sampling", sonnet, `,"reasoning_effort":"high","max_tokens":1000,"temperature":0.2,"top_k":4,"top_p":0.5`,
			map[string]string{"thinking": `{"type":"enabled","budget_tokens":4096}`, "max_tokens": `5096`, "temperature": "-", "top_k": "-", "top_p": "-"}},
		{"a larger max_tokens stays", sonnet, `,"reasoning_effort":"medium","max_tokens":9000,"top_p":0.97`,
			map[string]string{"thinking": `{"type":"enabled","budget_tokens":2048}`, "max_tokens": `9000`, "top_p": `0.97`}},
		{"none", sonnet, `,"reasoning_effort":"none","temperature":0.2`, map[string]string{"thinking": "-", "temperature": `0.2`}},
		{"an alias thinks in a budget", "my-deployment", `,"reasoning_effort":"minimal"`, map[string]string{"thinking": `{"type":"enabled","budget_tokens":1024}`, "max_tokens": `5120`}},
		{"4.6 adapts", "claude-sonnet-4-6", `,"reasoning_effort":"xhigh"`, map[string]string{"thinking": `{"type":"adaptive"}`, "output_config": `{"effort":"high"}`}},
		{"4.7 adapts and hides", "claude-opus-4-7", `,"reasoning_effort":"xhigh"`, map[string]string{"thinking": `{"type":"adaptive","display":"summarized"}`, "output_config": `{"effort":"xhigh"}`, "max_tokens": `21333`}},
		{"on another platform", "us.anthropic.claude-opus-4-8-v1:0", `,"reasoning_effort":"low"`, map[string]string{"thinking": `{"type":"adaptive","display":"summarized"}`, "output_config": `{"effort":"low"}`}},
		{"not thinking, where it is the default", "claude-sonnet-5", `,"reasoning_effort":"none"`, map[string]string{"thinking": `{"type":"disabled"}`}},
		{"the least thinking", "claude-sonnet-5-5", `,"reasoning_effort":"none"`, map[string]string{"thinking": `{"type":"between_tools"}`}},
		{"always thinking", "claude-fable-5", `,"reasoning_effort":"none"`, map[string]string{"thinking": "-", "output_config": `{"effort":"low"}`}},
		{"a model that thinks by itself has room", "claude-opus-5", ``, map[string]string{"thinking": "-", "max_tokens": `21333`}},
		{"a forced tool and a budget", sonnet, `,"reasoning_effort":"high"` + forced, map[string]string{"thinking": "-", "tool_choice": `{"type":"any"}`}},
		{"a forced tool and effort", "claude-opus-4-8", `,"reasoning_effort":"high"` + forced, map[string]string{"thinking": "-", "output_config": `{"effort":"high"}`}},
		{"a tool cannot be forced", "claude-opus-5-5", forced, map[string]string{"tool_choice": `{"type":"auto"}`, "system": `"Answer by calling one of the tools."`}},
		{"a budget for a model that adapts", "claude-opus-4-8", `,"thinking":{"type":"enabled","budget_tokens":3000}`, map[string]string{"thinking": `{"type":"adaptive","display":"summarized"}`}},
		{"adaptive for a model with budgets", sonnet, `,"thinking":{"type":"adaptive"}`, map[string]string{"thinking": `{"type":"enabled","budget_tokens":4096}`}},
		{"thinking that cannot be turned off", "claude-opus-5-5", `,"thinking":{"type":"disabled"}`, map[string]string{"thinking": "-", "output_config": `{"effort":"low"}`}},
		{"effort without thinking", "claude-opus-5", `,"thinking":{"type":"disabled"},"reasoning_effort":"max"`, map[string]string{"thinking": `{"type":"disabled"}`, "output_config": `{"effort":"high"}`}},
		{"a model that cannot think", "claude-3-5-haiku-20241022", `,"reasoning_effort":"high"`, map[string]string{"thinking": "-", "output_config": "-"}},
		{"the client's own", sonnet, `,"thinking":{"type":"enabled","budget_tokens":3000},"max_tokens":2000,"temperature":0.4`,
			map[string]string{"thinking": `{"type":"enabled","budget_tokens":3000}`, "max_tokens": `5000`, "temperature": "-"}},
		{"effort and a schema", "claude-opus-4-7", `,"reasoning_effort":"low","response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","additionalProperties":false}}}`,
			map[string]string{"output_config": `{"effort":"low","format":{"type":"json_schema","schema":{"type":"object","additionalProperties":false}}}`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { has(t, mustTranslate(t, tt.model, `{`+hello+tt.more+`}`), tt.want) })
	}
}

func TestModelNamesAreParsed(t *testing.T) {
	tests := []struct {
		name    string
		family  string
		version int
	}{
		{"claude-opus-4-7", "opus", 407}, {"claude-3-7-sonnet-20250219", "sonnet", 307}, {"claude-sonnet-4@20250514", "sonnet", 400},
		{"anthropic.claude-opus-4-1-20250805-v1:0", "opus", 401}, {"claude-2.1", "claude", 201}, {"claude-instant-1.2", "instant", 102},
		{"claude-haiku-5-5", "haiku", 505}, {"claude-mythos-preview", "mythos", 0}, {"anthropic.claude-sonnet-4-20250514-v1:0", "sonnet", 400}, {"gpt-4", "", 0},
	}
	for _, tt := range tests {
		if f, v := parseModel(tt.name); f != tt.family || v != tt.version {
			t.Errorf("%s: got %s %d, want %s %d", tt.name, f, v, tt.family, tt.version)
		}
	}
}

func TestToolResultsFollowTheirCalls(t *testing.T) {
	body := `{"messages":[{"role":"user","content":"go"},` +
		`{"role":"assistant","content":"Looking.","tool_calls":[{"id":"a:1","type":"function","function":{"name":"f","arguments":"{\"x\":1.0}"}},{"id":"b","type":"function","function":{"name":"g","arguments":""}}]},` +
		`{"role":"user","content":"hurry"},` +
		`{"role":"tool","tool_call_id":"b","content":[{"type":"text","text":"B1"},{"type":"text","text":"B2"}]},` +
		`{"role":"tool","tool_call_id":"a:1","content":"A"},{"role":"user","content":"thanks"}],"tools":[{"type":"function","function":{"name":"f"}}]}`
	has(t, mustTranslate(t, sonnet, body), map[string]string{"messages": `[{"role":"user","content":"go"},` +
		`{"role":"assistant","content":[{"type":"text","text":"Looking."},{"type":"tool_use","id":"toolu_olzxUZyQPOI","name":"f","input":{"x":1.0}},{"type":"tool_use","id":"b","name":"g","input":{}}]},` +
		`{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_olzxUZyQPOI","content":"A"},{"type":"tool_result","tool_use_id":"b","content":[{"type":"text","text":"B1"},{"type":"text","text":"B2"}]},` +
		`{"type":"text","text":"hurry"},{"type":"text","text":"thanks"}]}]`})
}

func TestHistoryWithCallsDeclaresItsTools(t *testing.T) {
	body := `{"messages":[{"role":"user","content":"go"},{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"b","type":"function","function":{"name":"f","arguments":"{}"}}]},` +
		`{"role":"tool","tool_call_id":"a","content":""},{"role":"tool","tool_call_id":"b","content":"B"}]}`
	has(t, mustTranslate(t, sonnet, body), map[string]string{"tools": `[{"name":"f","input_schema":{"type":"object"}}]`, "tool_choice": `{"type":"none"}`})
}

func TestThinkingIsOffAfterUnsignedToolCalls(t *testing.T) {
	loop := `{"messages":[{"role":"user","content":"go"},{"role":"assistant","reasoning_content":"lost","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},` +
		`{"role":"tool","tool_call_id":"a","content":"A"}],"tools":[{"type":"function","function":{"name":"f"}}],"reasoning_effort":"high"}`
	has(t, mustTranslate(t, sonnet, loop), map[string]string{"thinking": "-", "max_tokens": `21333`})
	has(t, mustTranslate(t, "claude-opus-4-7", loop), map[string]string{"thinking": `{"type":"adaptive","display":"summarized"}`})
}

func TestThinkingIsSentBackUnchanged(t *testing.T) {
	s := mock.Named("thinking_tools").Answer.Choices[0].Parts[0]
	req := &chat.Request{Messages: []chat.Message{
		{Role: chat.User, Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain("go")}}},
		{Role: chat.Assistant, Parts: []chat.Part{s, {Kind: chat.RedactedThinking, Text: jsonedit.Plain("b64")}, {Kind: chat.ToolCall, Name: "f", Arguments: jsonedit.Plain(" {} ")}}},
		{Role: chat.User, Parts: []chat.Part{{Kind: chat.ToolResult, IsError: true, Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain("no")}}}}},
	}, Tools: []chat.Tool{{Name: "f"}}, ReasoningBudget: "1500"}
	out, err := Messages.AppendRequest(nil, chatTarget(sonnet), req)
	if err != nil {
		t.Fatal(err)
	}
	accepted(t, out)
	has(t, decode(t, out), map[string]string{"thinking": `{"type":"enabled","budget_tokens":1500}`, "messages": `[{"role":"user","content":"go"},` +
		`{"role":"assistant","content":[{"type":"thinking","thinking":"I need the weather.","signature":"c2lnbmF0dXJlLW9mLXRoaW5raW5nLXRvb2xz"},{"type":"redacted_thinking","data":"b64"},{"type":"tool_use","id":"toolu_1","name":"f","input":{}}]},` +
		`{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"no","is_error":true}]}]`})
}

func TestRequestsThatCannotBeTranslatedNameTheField(t *testing.T) {
	call := func(arguments string) string {
		return `{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":` + arguments + `}}]}`
	}
	result := `{"role":"tool","tool_call_id":"a","content":"A"}`
	tests := []struct{ name, messages, field string }{
		{"broken arguments", call(`"{\"x\":"`) + `,` + result, "messages[0].tool_calls[0].function.arguments"},
		{"arguments that are a list", call(`"[1]"`) + `,` + result, "messages[0].tool_calls[0].function.arguments"},
		{"sound", `{"role":"user","content":[{"type":"text","text":"x"},{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}]}`, "messages[0].content[1]"},
		{"a spreadsheet", `{"role":"user","content":[{"type":"file","file":{"file_data":"data:application/vnd.ms-excel;base64,AAAA","filename":"a.xls"}}]}`, "messages[0].content[0]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := translate(t, sonnet, `{"messages":[`+tt.messages+`]}`)
			var refused *chat.RequestError
			if !errors.As(err, &refused) || refused.Field != tt.field {
				t.Errorf("got %v, want a request error about %s", err, tt.field)
			}
		})
	}
}

func TestOtherMakersToolsBecomeAnthropicsOwn(t *testing.T) {
	const bash, mcp = `{"type":"bash_20250124","name":"bash"}`, `{"type":"mcp_toolset","mcp_server_name":"m"}`
	const fetch, code = `{"type":"web_fetch_20250910","name":"web_fetch"}`, `{"type":"code_execution_20250825","name":"code_execution"}`
	const search = `{"type":"web_search_20250305","name":"web_search"}`
	for native, want := range map[string]string{
		bash: bash, mcp: mcp, fetch: fetch, `{"googleSearch":{}}`: search, `{"type":"web_search"}`: search, `{"urlContext":{}}`: fetch,
		`{"type":"code_interpreter","container":{"type":"auto"}}`: code,
		`{"type":"file_search"}`:                                  "", `{"type":"scent","scent":{"name":"x"}}`: "", `{"type":"web_fetch_20250910"}`: fetch,
	} {
		body, err := translate(t, sonnet, `{"messages":[{"role":"user","content":"x"}],"tools":[`+native+`]}`)
		if (err == nil) != (want != "") {
			t.Errorf("%s: error %v", native, err)
		}
		if want != "" && err == nil {
			if want := decode(t, []byte(`{"tools":[`+want+`]}`)); !reflect.DeepEqual(body["tools"], want["tools"]) {
				t.Errorf("%s: became %v, want %v", native, body["tools"], want["tools"])
			}
		}
	}
}

// The bodies that Kong's own plugin makes, where they are right.
func TestRequestsEqualKongs(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "spec", "data", "kong-oss-fixtures", "unit")
	read := func(path string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Skipf("the fixtures of the specification are not here: %v", err)
		}
		return b
	}
	tests := []struct {
		file     string
		dialect  chat.Dialect
		upstream chat.Upstream
	}{{"llm-v1-chat.json", openai.Chat, Messages}}
	for _, tt := range tests {
		req, err := chat.ParseRequest(tt.dialect, read("requests/"+tt.file))
		if err != nil {
			t.Fatal(err)
		}
		shallow := *req
		shallow.MaxTokens, shallow.Temperature = "512", "0.5"
		got, err := tt.upstream.AppendRequest(nil, chatTarget("claude-2.1"), &shallow)
		if err != nil {
			t.Fatal(err)
		}
		if want := decode(t, read("expected-requests/anthropic/"+tt.file)); !reflect.DeepEqual(decode(t, got), want) {
			t.Errorf("%s: got %s", tt.file, got)
		}
	}
}

func TestCompletionsBecomeATranscript(t *testing.T) {
	req := &chat.Request{MaxTokens: "512", Temperature: "0.5", Messages: []chat.Message{{Role: chat.User, Parts: []chat.Part{{Text: jsonedit.Plain("Explain why you can't divide by zero?")}}}}}
	got, err := Complete.AppendRequest(nil, chatTarget("claude-2.1"), req)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"model":"claude-2.1","prompt":"Human: Explain why you can't divide by zero?\n\nAssistant:","max_tokens_to_sample":512,"temperature":0.5,"stream":false}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// With thinking, temperature and top_k must keep their defaults and top_p be
// 0.95 or more.
func TestSamplingBesideThinking(t *testing.T) {
	for _, c := range []struct{ name, model, client, want string }{
		{"no thinking", "claude-3-5-haiku-20241022", `"temperature":0.5,"top_p":0.9,"top_k":5`, `"temperature":0.5,"top_p":0.9,"top_k":5`},
		{"too warm", "claude-3-5-haiku-20241022", `"temperature":1.5`, `"temperature":1`},
		{"the warmest", "claude-3-5-haiku-20241022", `"temperature":1.0`, `"temperature":1.0`},
		{"one of two", sonnet, `"temperature":0.5,"top_p":0.9`, `"temperature":0.5`},
		{"top_p alone", sonnet, `"top_p":0.9`, `"top_p":0.9`},
		{"thinking", sonnet, `"reasoning_effort":"low","temperature":0.5,"top_k":5`, ``},
		{"thinking, top_p below", sonnet, `"reasoning_effort":"low","top_p":0.949`, ``},
		{"thinking, top_p at the bound", sonnet, `"reasoning_effort":"low","top_p":0.95`, `"top_p":0.95`},
		{"thinking of the client's own", sonnet, `"thinking":{"type":"enabled","budget_tokens":2000},"temperature":0.5,"top_p":0.95,"top_k":5`, `"top_p":0.95`},
	} {
		req, err := chat.ParseRequest(openai.Chat, []byte(`{"messages":[{"role":"user","content":"x"}],`+c.client+`}`))
		if err != nil {
			t.Fatal(err)
		}
		body, err := Messages.AppendRequest(nil, chatTarget(c.model), req)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, name := range []string{"temperature", "top_p", "top_k"} {
			if v := jsonedit.Lookup(body, name); v != nil {
				got = append(got, `"`+name+`":`+string(v))
			}
		}
		if strings.Join(got, ",") != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestMaxTokensIsTheModelsWhereTheClientGivesNone(t *testing.T) {
	for _, c := range []struct{ model, members, want string }{
		{"claude-opus-4-6", `,"stream":true`, "128000"},
		{"claude-sonnet-5", `,"stream":true`, "128000"},
		{"claude-mythos-preview", `,"stream":true`, "128000"},
		{"us.anthropic.claude-sonnet-4-5-20250929-v1:0", `,"stream":true`, "64000"},
		{"claude-haiku-4-5@20251001", `,"stream":true`, "64000"},
		{"claude-opus-4-1-20250805", `,"stream":true`, "32000"},
		{"claude-sonnet-4-20250514", `,"stream":true`, "64000"},
		{"claude-3-7-sonnet-latest", `,"stream":true`, "64000"},
		{"claude-3-5-haiku-20241022", `,"stream":true`, "8192"},
		{"claude-3-haiku-20240307", `,"stream":true`, "4096"},
		{"an-alias", `,"stream":true`, "4096"},
		{"claude-opus-4-6", ``, "21333"}, // what ten minutes suffice for
		{"claude-3-5-haiku-20241022", ``, "8192"},
		{"claude-sonnet-4-5", `,"stream":true,"reasoning_effort":"max"`, "64000"}, // thinking is part of it
		{"claude-opus-4-1", `,"reasoning_effort":"max"`, "21333"},
		{"claude-opus-4-6", `,"max_tokens":7`, "7"},
	} {
		has(t, mustTranslate(t, c.model, `{`+hello+c.members+`}`), map[string]string{"max_tokens": c.want})
	}
}

func TestUserHasTheLastWordWhereTheModelWantsIt(t *testing.T) {
	const body = `{"messages":[{"role":"user","content":"go"},{"role":"assistant","content":"So far"}]}`
	has(t, mustTranslate(t, "claude-sonnet-4-5", body), map[string]string{"messages": `[{"role":"user","content":"go"},{"role":"assistant","content":"So far"}]`})
	has(t, mustTranslate(t, "claude-opus-4-6", body), map[string]string{"messages": `[{"role":"user","content":"go"},{"role":"assistant","content":"So far"},{"role":"user","content":"Continue."}]`})
}

// Codex' compaction sends tool_choice without tools; auto is what would be anyway. None is
// sent, as Kong's plugin does.
func TestChoiceOfToolsIsNotSentAlone(t *testing.T) {
	for mode, want := range map[string]bool{"auto": false, "none": true, "required": true} {
		req := &chat.Request{Messages: []chat.Message{{Role: chat.User, Parts: []chat.Part{{Text: jsonedit.Plain("x")}}}}, ToolChoice: chat.ToolChoice{Mode: mode}}
		body, err := Messages.AppendRequest(nil, &target.Target{Model: "claude-sonnet-4-5", Options: &target.Options{}}, req)
		if err != nil || strings.Contains(string(body), "tool_choice") != want {
			t.Errorf("%s: %s, %v", mode, body, err)
		}
	}
}
