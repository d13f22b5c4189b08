package ollama

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/jsontest"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

func on(wanted route.Type) *target.Target {
	return &target.Target{Provider: "ollama", Route: wanted, Model: "qwen3", Options: &target.Options{}}
}

// translate is the body for an OpenAI request to chat or completions.
func translate(t *testing.T, dialect chat.Dialect, format chat.Upstream, body string) (string, error) {
	t.Helper()
	req, err := chat.ParseRequest(dialect, []byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if _, err := (&provider.Operation{}).Offer(on("llm/v1/chat"), req); err != nil {
		return "", err
	}
	out, err := format.AppendRequest([]byte("x"), on("llm/v1/chat"), req)
	if err != nil {
		return "", err
	}
	if out[0] != 'x' || !json.Valid(out[1:]) {
		t.Fatalf("not JSON, or not appended: %s", out)
	}
	return string(out[1:]), nil
}

const hello = `"messages":[{"role":"user","content":"hello"}]`

// TestChatRequests has rows of an OpenAI request's members beside a greeting
// and of what stands beside model, messages and stream in Ollama's.
func TestChatRequests(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nothing", ``, ``},
		{"options", `"max_tokens":512,"temperature":0.5,"top_p":1e-1,"top_k":4,"seed":7,"stop":"END","presence_penalty":0.1,"frequency_penalty":-0.2`,
			`"options":{"num_predict":512,"temperature":0.5,"top_p":1e-1,"top_k":4,"seed":7,"presence_penalty":0.1,"frequency_penalty":-0.2,"stop":["END"]}`},
		{"the newer limit", `"max_completion_tokens":9`, `"options":{"num_predict":9}`},
		{"options in Ollama's words", `"options":{"num_ctx":8192,"seed":1},"seed":2`, `"options":{"seed":2,"num_ctx":8192}`},
		{"only options in Ollama's words", `"options":{"num_ctx":8192}`, `"options":{"num_ctx":8192}`},
		{"empty options", `"options":{}`, ``},
		{"keep_alive", `"keep_alive":"10m","truncate":false`, `"keep_alive":"10m","truncate":false`},
		{"any JSON", `"response_format":{"type":"json_object"}`, `"format":"json"`},
		{"a schema", `"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}}`, `"format":{"type":"object"}`},
		{"text", `"response_format":{"type":"text"}`, ``},
		{"a format in Ollama's words", `"format":"json","response_format":{"type":"text"}`, `"format":"json"`},
		{"no thinking", `"reasoning_effort":"none"`, `"think":false`},
		{"little thinking", `"reasoning_effort":"minimal"`, `"think":"low"`},
		{"thinking", `"reasoning_effort":"medium"`, `"think":"medium"`},
		{"much thinking", `"reasoning_effort":"xhigh"`, `"think":"max"`},
		{"thinking by budget", `"reasoning":{"max_tokens":1024}`, `"think":true`},
		{"no budget for thinking", `"reasoning":{"max_tokens":0}`, `"think":false`},
		{"think in Ollama's words", `"think":true,"reasoning_effort":"low"`, `"think":true`},
		{"a function", `"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{"a":{"type":"string"}}},"strict":true}}]`,
			`"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{"a":{"type":"string"}}}}}]`},
		{"a function without parameters, and a choice", `"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required"`,
			`"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}],"tool_choice":"required"`},
		{"no tools by choice", `"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"none"`, ``},
		{"logprobs", `"logprobs":true,"top_logprobs":2`, `"logprobs":true,"top_logprobs":2`},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, want := "{"+hello, `{"model":"qwen3","stream":false,`+hello
			if c.in != "" {
				in += "," + c.in
			}
			if c.want != "" {
				want += "," + c.want
			}
			got, err := translate(t, openai.Chat, Chat, in+"}")
			if err != nil {
				t.Fatal(err)
			}
			jsontest.Same(t, got, want+"}")
		})
	}
}

func TestMessagesKeepOrderImagesAndThinking(t *testing.T) {
	got, err := translate(t, openai.Chat, Chat, `{"stream":true,"messages":[
		{"role":"system","content":"Be brief."},
		{"role":"user","content":[{"type":"text","text":"What differs?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,QUI="}},{"type":"text","text":"Say."}]},
		{"role":"assistant","content":"The hue.","reasoning_content":"Look."},
		{"role":"developer","content":[{"type":"text","text":"Be kind."}]},
		{"role":"user","content":null}]}`)
	if err != nil {
		t.Fatal(err)
	}
	jsontest.Same(t, got, `{"model":"qwen3","stream":true,"messages":[
		{"role":"system","content":"Be brief."},
		{"role":"user","content":"What differs?\nSay.","images":["QUI="]},
		{"role":"assistant","content":"The hue.","thinking":"Look."},
		{"role":"system","content":"Be kind."},
		{"role":"user","content":""}]}`)
}

func TestToolResultsAreInTheOrderOfTheirCalls(t *testing.T) {
	got, err := translate(t, openai.Chat, Chat, `{"messages":[
		{"role":"user","content":"?"},
		{"role":"assistant","content":"I ask.","tool_calls":[
			{"id":"a","type":"function","function":{"name":"f","arguments":"{\"n\":12345678901234567, \"x\":1.0}"}},
			{"id":"b","type":"function","function":{"name":"f","arguments":""}},
			{"id":"c","type":"function","function":{"name":"g","arguments":" {} "}}]},
		{"role":"tool","tool_call_id":"c","content":"3"},
		{"role":"tool","tool_call_id":"b","content":[{"type":"text","text":"2"}]},
		{"role":"tool","tool_call_id":"lost","content":"4"},
		{"role":"tool","tool_call_id":"a","content":"1"},
		{"role":"user","content":"And?"},
		{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"h","arguments":"{}"}}]},
		{"role":"tool","tool_call_id":"a","content":"5"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	jsontest.Same(t, got, `{"model":"qwen3","stream":false,"messages":[
		{"role":"user","content":"?"},
		{"role":"assistant","content":"I ask.","tool_calls":[
			{"id":"a","type":"function","function":{"name":"f","arguments":{"n":12345678901234567,"x":1.0}}},
			{"id":"b","type":"function","function":{"name":"f","arguments":{}}},
			{"id":"c","type":"function","function":{"name":"g","arguments":{}}}]},
		{"role":"tool","content":"1","tool_name":"f","tool_call_id":"a"},
		{"role":"tool","content":"2","tool_name":"f","tool_call_id":"b"},
		{"role":"tool","content":"3","tool_name":"g","tool_call_id":"c"},
		{"role":"tool","content":"4","tool_call_id":"lost"},
		{"role":"user","content":"And?"},
		{"role":"assistant","content":"","tool_calls":[{"id":"a","type":"function","function":{"name":"h","arguments":{}}}]},
		{"role":"tool","content":"5","tool_name":"h","tool_call_id":"a"}]}`)
	if !strings.Contains(got, `{"n":12345678901234567, "x":1.0}`) {
		t.Errorf("the arguments were written anew: %s", got)
	}
}

// Claude's format puts results and text into one message of the user.
func TestToolResultsComeBeforeText(t *testing.T) {
	req := &chat.Request{Messages: []chat.Message{
		{Role: chat.Assistant, Parts: []chat.Part{{Kind: chat.RedactedThinking, Text: jsonedit.Plain("x")}, {Kind: chat.ToolCall, ID: "1", Name: "f"}}},
		{Role: chat.User, Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain("Go on.")}, {Kind: chat.ToolResult, ID: "1", Parts: []chat.Part{
			{Kind: chat.Text, Text: jsonedit.Plain("ok")}, {Kind: chat.Image, Media: &chat.Media{MIME: "image/png", Data: jsonedit.Plain("QUI=")}}}}}},
	}}
	got, err := Chat.AppendRequest(nil, on("llm/v1/chat"), req)
	if err != nil {
		t.Fatal(err)
	}
	jsontest.Same(t, string(got), `{"model":"qwen3","stream":false,"messages":[
		{"role":"assistant","content":"","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":{}}}]},
		{"role":"tool","content":"ok","images":["QUI="],"tool_name":"f","tool_call_id":"1"},
		{"role":"user","content":"Go on."}]}`)
}

func TestPrompts(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"prompt", `{"prompt":"Why?"}`, `{"model":"qwen3","prompt":"Why?","stream":false}`},
		{"options", `{"prompt":["Why?"],"max_tokens":512,"temperature":0.5,"stream":true}`,
			`{"model":"qwen3","prompt":"Why?","stream":true,"options":{"num_predict":512,"temperature":0.5}}`},
		{"OpenAI's and Ollama's own members", `{"prompt":"a","suffix":"c","system":"s","raw":true,"keep_alive":0,"logprobs":3,"n":2}`,
			`{"model":"qwen3","prompt":"a","suffix":"c","system":"s","raw":true,"keep_alive":0,"stream":false}`},
	} {
		got, err := translate(t, openai.Completions, Generate, c.in)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		jsontest.Same(t, got, c.want)
	}
}

func TestFieldsThatOllamaLacksAreRefusedByName(t *testing.T) {
	part := func(p string) string { return `{"messages":[{"role":"user","content":[` + p + `]}]}` }
	const arguments = "messages[0].tool_calls[0].function.arguments: must be a JSON object in a string: Ollama takes the object"
	calls := func(arguments string) string {
		return `{"messages":[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":` + arguments + `}}]}]}`
	}
	for _, c := range []struct{ in, want string }{
		{part(`{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}`),
			"messages[0].content[0].image_url: must be a data URI: Ollama takes the image itself and fetches no URL"},
		{part(`{"type":"text","text":"a"},{"type":"input_audio","input_audio":{"data":"QUI=","format":"wav"}}`),
			`messages[0].content[1]: is of type "input_audio", and Ollama takes text and images only`},
		{part(`{"type":"file","file":{"file_id":"f"}}`), `messages[0].content[0]: is of type "file", and Ollama takes text and images only`},
		{part(`{"type":"hologram"}`), `messages[0].content[0]: is of type "hologram", and Ollama takes text and images only`},
		{calls(`"{\"a\":"`), arguments},
		{calls(`"[1]"`), arguments},
		{calls(`"{} {}"`), arguments},
		{`{` + hello + `,"tools":[{"type":"web_search"}]}`, "tools[0]: the target runs no web_search of its own: offer functions, or use a target that has it"},
		{`{` + hello + `,"reasoning_effort":"some"}`, "reasoning_effort: must be none, minimal, low, medium, high, xhigh or max"},
		{`{` + hello + `,"options":[]}`, "options: must be an object"},
		{`{` + hello + `,"prompt":"x"}`, "cannot run raw 'prompt' and chat history 'messages' requests at the same time - refer to schema"},
	} {
		_, err := translate(t, openai.Chat, Chat, c.in)
		var refused *chat.RequestError
		if !errors.As(err, &refused) || err.Error() != c.want {
			t.Errorf("%s: got %v", c.in, err)
		}
	}
	_, err := translate(t, openai.Completions, Generate, `{"prompt":"x",`+hello+`}`)
	if !errors.Is(err, errTwoFormats) {
		t.Errorf("a prompt with messages: got %v", err)
	}
	if _, err := translate(t, openai.Chat, Chat, `{`+hello+`,"prompt":""}`); err != nil {
		t.Errorf("an empty prompt: %v", err)
	}
}

const kongFixtures = "../../../shared/spec/data/kong-oss-fixtures/unit"

func TestKongsRecordedRequestAndAnswer(t *testing.T) {
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(kongFixtures, name))
		if err != nil {
			t.Skipf("Kong's fixtures are not here: %v", err)
		}
		return b
	}
	req, err := chat.ParseRequest(openai.Chat, read("requests/llm-v1-chat.json"))
	if err != nil {
		t.Fatal(err)
	}
	req.MaxTokens, req.Temperature = "512", "0.5" // as the relay takes them from the target
	to := &target.Target{Provider: "mistral", Route: "llm/v1/chat", Model: "mistral-tiny"}
	got, err := Chat.AppendRequest(nil, to, req)
	if err != nil {
		t.Fatal(err)
	}
	jsontest.Same(t, string(got), string(read("expected-requests/mistral/ollama/llm-v1-chat.json")))

	resp, err := Chat.ParseResponse(to, read("real-responses/mistral/ollama/llm-v1-chat.json"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := openai.Chat.AppendResponse(nil, resp)
	if err != nil {
		t.Fatal(err)
	}
	type answer struct {
		Choices []struct {
			Index   int
			Finish  string `json:"finish_reason"`
			Message struct{ Role, Content string }
		}
		Model, Object string
	}
	var a, want answer
	if json.Unmarshal(out, &a) != nil || json.Unmarshal(read("expected-responses/mistral/ollama/llm-v1-chat.json"), &want) != nil || !reflect.DeepEqual(a, want) {
		t.Errorf("got %s", out)
	}
	if resp.Usage != (chat.Usage{Prompt: 26, Completion: 100}) || resp.Created != 1705306418 {
		t.Errorf("usage %+v, created %d", resp.Usage, resp.Created) // Kong's expected counters are another answer's
	}
}

func TestEmbeddingsRequestBody(t *testing.T) {
	two := 2
	configured := on("llm/v1/embeddings")
	configured.Options.EmbeddingsDimensions = &two
	for _, c := range []struct {
		to       *target.Target
		in, want string
	}{
		{on(""), `{"model":"m","input":"a","encoding_format":"base64","user":"u"}`, `{"model":"qwen3","input":"a"}`},
		{on(""), `{"input":["a","b"],"dimensions":7,"truncate":false,"keep_alive":"1m","options":{"num_ctx":9}}`,
			`{"model":"qwen3","input":["a","b"],"dimensions":7,"truncate":false,"keep_alive":"1m","options":{"num_ctx":9}}`},
		{configured, `{"input":"a","dimensions":7}`, `{"model":"qwen3","input":"a","dimensions":2}`},
	} {
		got, err := Embed.AppendRequest([]byte("x"), c.to, []byte(c.in))
		if err != nil || got[0] != 'x' {
			t.Errorf("%s: got %s, %v", c.in, got, err)
			continue
		}
		jsontest.Same(t, string(got[1:]), c.want)
	}
	for in, want := range map[string]string{
		`{"input":[1,2]}`:       "input[0]: must be a string: the provider takes no token numbers",
		`{"input":["a",[1,2]]}`: "input[1]: must be a string: the provider takes no token numbers",
		`{"input":{}}`:          "input: must be a string or an array of strings",
		`{}`:                    "input: must be a string or an array of strings",
	} {
		_, err := Embed.AppendRequest(nil, on(""), []byte(in))
		var refused *chat.RequestError
		if !errors.As(err, &refused) || err.Error() != want {
			t.Errorf("%s: got %v", in, err)
		}
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{` + hello + `,"options":{"num_ctx":1},"stop":["a"],"tools":[{"type":"function","function":{"name":"f"}}]}`))
	f.Add([]byte(`{"messages":[{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":"x"}]}`))
	f.Add([]byte(`{"prompt":"x","suffix":"y"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		defer workload.Linear(t, len(body))()
		for dialect, format := range map[chat.Dialect]chat.Upstream{openai.Chat: Chat, openai.Completions: Generate} {
			req, err := chat.ParseRequest(dialect, body)
			if err != nil {
				continue
			}
			out, err := format.AppendRequest(nil, on(""), req)
			if err == nil && !json.Valid(out) {
				t.Errorf("%s became %s", body, out)
			}
		}
		if out, err := Embed.AppendRequest(nil, on(""), body); err == nil && !json.Valid(out) {
			t.Errorf("%s became %s", body, out)
		}
	})
}

func TestModelsThatCannotThinkAreNotAskedTo(t *testing.T) {
	for _, c := range []struct {
		model, effort string
		budget        chat.Number
		want          string // "" for no think
	}{
		{"llama3.1", "high", "", ""}, {"llama3.1:70b", "", "2048", ""}, {"hf.co/bartowski/Llama-3.2-3B-GGUF:Q4", "high", "", ""}, {"gemma3:4b", "low", "", ""},
		{"qwen3-coder:30b", "high", "", ""}, {"qwen3:8b", "high", "", `"high"`}, {"qwen3", "", "0", "false"}, {"deepseek-r1", "", "2048", "true"},
		{"gpt-oss:20b", "", "2048", `"low"`}, {"gpt-oss:20b", "none", "", `"low"`}, {"a-model-to-come", "", "9000", "true"},
	} {
		body, err := Chat.AppendRequest(nil, &target.Target{Model: c.model}, &chat.Request{ReasoningEffort: c.effort, ReasoningBudget: c.budget})
		if err != nil {
			t.Fatal(err)
		}
		if got := string(jsonedit.Lookup(body, "think")); got != c.want {
			t.Errorf("%s, effort %q, budget %q: think is %s, want %s", c.model, c.effort, c.budget, got, c.want)
		}
	}
}
