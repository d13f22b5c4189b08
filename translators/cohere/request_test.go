package cohere

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/jsontest"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

func to(wanted route.Type) *target.Target {
	return &target.Target{Provider: "cohere", Route: wanted, Model: "command", Options: &target.Options{}}
}

func request(dialect chat.Dialect, up chat.Upstream, body string) (string, error) {
	req, err := chat.ParseRequest(dialect, []byte(body))
	if err != nil {
		return "", err
	}
	if _, err := (&provider.Operation{}).Offer(to("llm/v1/chat"), req); err != nil {
		return "", err
	}
	out, err := up.AppendRequest(nil, to("llm/v1/chat"), req)
	return string(out), err
}

const hello = `"messages":[{"role":"user","content":"hello"}]`
const weather = `"tools":[{"type":"function","function":{"name":"get_weather","description":"Weather.","parameters":{"type":"object","properties":{"city":{"type":"string","description":"Its name."},"days":{"type":"integer"},"units":{"enum":["C","F"]},"hours":{"type":"array","items":{"type":"number"}}},"required":["city"]}}},{"type":"function","function":{"name":"get_time"}}]`

func TestRequestsOfVersion2(t *testing.T) {
	const head = `{"model":"command","stream":false,`
	const said = `"messages":[{"role":"user","content":"hello"}]`
	const time = `{"type":"function","function":{"name":"get_time","parameters":{"type":"object","properties":{}}}}`
	for name, c := range map[string]struct{ in, want string }{
		"parameters": {
			`{` + hello + `,"max_completion_tokens":9,"temperature":0.5,"top_p":0.75,"top_k":5,"seed":7,"stop":"END","frequency_penalty":0.5,"presence_penalty":0.25}`,
			head + said + `,"max_tokens":9,"temperature":0.5,"p":0.75,"k":5,"seed":7,"stop_sequences":["END"],"frequency_penalty":0.5,"presence_penalty":0.25}`,
		},
		"values out of range": {`{` + hello + `,"top_p":1,"frequency_penalty":-2,"presence_penalty":2}`, head + said + `,"p":0.99,"frequency_penalty":0,"presence_penalty":1}`},
		"system messages":     {`{"messages":[{"role":"system","content":"a"},{"role":"developer","content":[{"type":"text","text":"b"},{"type":"text","text":"c"}]},{"role":"user","content":"d"}]}`, head + `"messages":[{"role":"system","content":"a"},{"role":"system","content":[{"type":"text","text":"b"},{"type":"text","text":"c"}]},{"role":"user","content":"d"}]}`},
		"messages that say nothing": {
			`{"messages":[{"role":"system","content":""},{"role":"user","content":[{"type":"text","text":""},{"type":"text","text":"a"}]},{"role":"assistant","content":""},{"role":"user","content":""}]}`,
			head + `"messages":[{"role":"user","content":[{"type":"text","text":"a"}]},{"role":"user","content":"."}]}`,
		},
		"an image": {
			`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://images.example.com/a.png","detail":"low"}}]}]}`,
			head + `"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://images.example.com/a.png","detail":"low"}}]}]}`,
		},
		"tool choice none":       {`{` + hello + `,"tools":[{"type":"function","function":{"name":"get_time"}}],"tool_choice":"none"}`, head + said + `,"tools":[` + time + `],"tool_choice":"NONE"}`},
		"tool choice required":   {`{` + hello + `,"tools":[{"type":"function","function":{"name":"get_time"}}],"tool_choice":"required"}`, head + said + `,"tools":[` + time + `],"tool_choice":"REQUIRED"}`},
		"tool choice auto":       {`{` + hello + `,"tools":[{"type":"function","function":{"name":"get_time"}}],"tool_choice":"auto"}`, head + said + `,"tools":[` + time + `]}`},
		"one function":           {`{` + hello + `,` + weather + `,"tool_choice":{"type":"function","function":{"name":"get_time"}}}`, head + said + `,"tools":[` + time + `],"tool_choice":"REQUIRED"}`},
		"a choice without tools": {`{` + hello + `,"tool_choice":"none"}`, head + said + `}`},
		"JSON":                   {`{` + hello + `,"response_format":{"type":"json_object"}}`, head + said + `,"response_format":{"type":"json_object"}}`},
		"a schema":               {`{` + hello + `,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}}}`, head + said + `,"response_format":{"type":"json_object","json_schema":{"type":"object"}}}`},
		"plain text":             {`{` + hello + `,"response_format":{"type":"text"}}`, head + said + `}`},
		"an effort":              {`{` + hello + `,"reasoning_effort":"high"}`, head + said + `,"thinking":{"type":"enabled","token_budget":4096}}`},
		"no effort":              {`{` + hello + `,"reasoning_effort":"none"}`, head + said + `,"thinking":{"type":"disabled"}}`},
		"a budget":               {`{` + hello + `,"reasoning":{"max_tokens":300}}`, head + said + `,"thinking":{"type":"enabled","token_budget":300}}`},
		"thinking itself":        {`{` + hello + `,"reasoning_effort":"high","thinking":{"type":"enabled","token_budget":50}}`, head + said + `,"thinking":{"type":"enabled","token_budget":50}}`},
		"Cohere's own": {
			`{` + hello + `,"documents":[{"data":{"text":"d"}}],"citation_options":{"mode":"FAST"},"safety_mode":"STRICT","priority":3,"strict_tools":true,"unheard_of":1}`,
			head + said + `,"documents":[{"data":{"text":"d"}}],"citation_options":{"mode":"FAST"},"safety_mode":"STRICT","priority":3,"strict_tools":true}`,
		},
		"a plan and its calls": {
			`{"messages":[{"role":"user","content":"q"},{"role":"assistant","reasoning_content":"hm","content":"I will ask.","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":""}}]},{"role":"tool","tool_call_id":"a","content":[{"type":"text","text":"1"},{"type":"document","document":{"data":{"x":"y"}}}]},{"role":"assistant","content":""},{"role":"assistant","content":"One."}]}`,
			head + `"messages":[{"role":"user","content":"q"},{"role":"assistant","tool_plan":"I will ask.","content":[{"type":"thinking","thinking":"hm"}],"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},` +
				`{"role":"tool","tool_call_id":"a","content":[{"type":"text","text":"1"},{"type":"document","document":{"data":{"x":"y"}}}]},{"role":"assistant","content":"One."}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := request(openai.Chat, Chat, c.in)
			if err != nil {
				t.Fatal(err)
			}
			jsontest.Same(t, got, c.want)
		})
	}
}

func TestVersion1SeparatesHistoryFromTheQuestion(t *testing.T) {
	req, err := chat.ParseRequest(openai.Chat, []byte(`{"messages":[{"role":"system","content":"You count."},{"role":"user","content":"1 + 2?"},{"role":"assistant","content":"3."},{"role":"user","content":"And by 0?"}],"max_tokens":512,"temperature":0.5,"top_p":1.0}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ChatV1.AppendRequest(nil, to("llm/v1/chat"), req)
	if err != nil {
		t.Fatal(err)
	}
	jsontest.Same(t, string(got), `{"chat_history":[{"role":"USER","message":"You count."},{"role":"USER","message":"1 + 2?"},{"role":"CHATBOT","message":"3."}],
		"message":"And by 0?","model":"command","max_tokens":512,"temperature":0.5,"p":1.0,"stream":false}`)
}

func TestVersion1ToolsAreFlat(t *testing.T) {
	got, err := request(openai.Chat, ChatV1, `{`+hello+`,`+weather+`}`)
	if err != nil {
		t.Fatal(err)
	}
	jsontest.Same(t, got, `{"model":"command","message":"hello","stream":false,"tools":[{"name":"get_weather","description":"Weather.","parameter_definitions":{
		"city":{"type":"str","description":"Its name.","required":true},"days":{"type":"int","required":false},
		"units":{"type":"str","description":"JSON schema: {\"enum\":[\"C\",\"F\"]}","required":false},"hours":{"type":"List[float]","required":false}}},
		{"name":"get_time","description":"get_time"}]}`)
}

func TestVersion1ResultsRepeatTheirCalls(t *testing.T) {
	call := func(id, arguments string) string {
		return `{"id":"` + id + `","type":"function","function":{"name":"f","arguments":"` + arguments + `"}}`
	}
	got, err := request(openai.Chat, ChatV1, `{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"p","tool_calls":[`+call("a", `{\"x\":1.0}`)+`,`+call("b", "")+`]},`+
		`{"role":"tool","tool_call_id":"b","content":"plain"},{"role":"tool","tool_call_id":"a","content":"{\"y\":2}"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	jsontest.Same(t, got, `{"model":"command","stream":false,"message":"","chat_history":[{"role":"USER","message":"q"},{"role":"CHATBOT","message":"p","tool_calls":[{"name":"f","parameters":{"x":1.0}},{"name":"f","parameters":{}}]}],
		"tool_results":[{"call":{"name":"f","parameters":{}},"outputs":[{"output":"plain"}]},{"call":{"name":"f","parameters":{"x":1.0}},"outputs":[{"y":2}]}]}`)
	if !strings.Contains(got, `{"x":1.0}`) {
		t.Errorf("1.0 became another number: %s", got)
	}
}

func TestGenerateTakesAPrompt(t *testing.T) {
	got, err := request(openai.Completions, Generate, `{"prompt":"Explain.","max_tokens":512,"temperature":0.5,"top_p":0.75,"top_k":5,"n":2,"stop":["END"]}`)
	if err != nil {
		t.Fatal(err)
	}
	jsontest.Same(t, got, `{"prompt":"Explain.","model":"command","max_tokens":512,"temperature":0.5,"p":0.75,"k":5,"stream":false,"num_generations":2,"end_sequences":["END"]}`)
}

func TestRefusalsNameTheField(t *testing.T) {
	const both = "cannot run a 'prompt' and a history of 'messages' at the same time - refer to schema"
	file := `{"messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"file","file":{"file_id":"f"}}]}]}`
	image := `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://a.example/b.png"}}]}]}`
	for _, c := range []struct {
		name     string
		dialect  chat.Dialect
		upstream chat.Upstream
		in, want string
	}{
		{"prompt and messages", openai.Chat, Chat, `{` + hello + `,"prompt":"x"}`, both},
		{"prompt and messages in version 1", openai.Chat, ChatV1, `{` + hello + `,"prompt":"x"}`, both},
		{"messages and prompt", openai.Completions, Generate, `{` + hello + `,"prompt":"x"}`, both},
		{"a file", openai.Chat, Chat, file, "messages[0].content[1]: Cohere does not take a file"},
		{"an image in version 1", openai.Chat, ChatV1, image, "messages[0].content[0]: Cohere does not take an image here"},
		{"an image in system", openai.Chat, Chat, strings.Replace(image, "user", "system", 1), "messages[0].content[0]: Cohere does not take an image here"},
		{"a tool of another kind", openai.Chat, Chat, `{` + hello + `,"tools":[{"type":"scent","scent":{"name":"x"}}]}`, "tools[0]: the target runs no scent of its own"},
		{"a function that is not there", openai.Chat, Chat, `{` + hello + `,` + weather + `,"tool_choice":{"type":"function","function":{"name":"g"}}}`, `tool_choice.function.name: "g" is none of the tools`},
		{"a forced call in version 1", openai.Chat, ChatV1, `{` + hello + `,` + weather + `,"tool_choice":"required"}`, "tool_choice: version 1 of Chat cannot"},
		{"a result without its call in version 1", openai.Chat, ChatV1, `{"messages":[{"role":"tool","tool_call_id":"z","content":"x"}]}`, `messages[0].tool_call_id: no assistant message before it made the call "z"`},
		{"broken arguments in version 1", openai.Chat, ChatV1, `{"messages":[{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{"}}]}]}`, "messages[0].tool_calls: the arguments of f are no JSON object"},
	} {
		_, err := request(c.dialect, c.upstream, c.in)
		var refused *chat.RequestError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestPathSelectsTheVersion(t *testing.T) {
	for _, c := range []struct{ url, path, want string }{
		{"", "", "/v2/chat"},
		{"", "/v1/chat", "/v1/chat"},
		{"", "/v1/chat?x=1", "/v1/chat"},
		{"https://gateway.example/cohere/v1/chat/", "", "/v1/chat"},
		{"https://gateway.example/v2/chat", "/v1/chat", "/v2/chat"},
		{"https://gateway.example/cohere?p=/v1/chat", "", "/v2/chat"},
		{"%", "", "/v2/chat"},
	} {
		tgt := to("llm/v1/chat")
		tgt.Options.UpstreamURL, tgt.Options.UpstreamPath = c.url, c.path
		p := Provider.Variant(tgt)
		if got, err := p.Operations["llm/v1/chat"].Path(tgt, false); got != c.want || err != nil {
			t.Errorf("%+v: got %s, %v", c, got, err)
		}
		if got, _ := p.Operations["llm/v1/completions"].Path(tgt, false); got != "/v1/generate" {
			t.Errorf("completions: got %s", got)
		}
	}
}

// TestFieldsOfCompletionsAreTreatedAsTheTableSays is the field law, which
// package conformance holds for chat only.
func TestFieldsOfCompletionsAreTreatedAsTheTableSays(t *testing.T) {
	values := map[string]string{"stop": `["x"]`, "stream": "true", "stream_options": `{"include_usage":true}`, "user": `"u"`, "suffix": `"s"`, "echo": "true", "logit_bias": `{"1":2}`, "prompt": `"other"`}
	plain, err := request(openai.Completions, Generate, `{"prompt":"x"}`)
	if err != nil {
		t.Fatal(err)
	}
	for name, rule := range generateFields {
		if name == "model" || name == "extra_body" { // the target's; the relay's
			continue
		}
		value := values[name]
		if value == "" {
			value = "1"
		}
		got, err := request(openai.Completions, Generate, strings.Replace(`{"prompt":"x",`+`"`+name+`":`+value+`}`, `"prompt":"x","prompt"`, `"prompt"`, 1))
		if err != nil {
			t.Fatal(err)
		}
		if (got != plain) != (rule.Treatment == "mapped") {
			t.Errorf("%s is %s: %s", name, rule.Treatment, got)
		}
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{` + hello + `,` + weather + `,"tool_choice":"none","documents":[1],"thinking":[],"response_format":{"type":"json_schema","json_schema":{"schema":[]}}}`))
	f.Add([]byte(`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]},{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":"{}"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"a":{"items":[]},"b":1},"required":[1]}}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		defer workload.Linear(t, len(body))()
		for _, up := range []chat.Upstream{Chat, ChatV1, Generate} {
			got, err := request(openai.Chat, up, string(body))
			if err == nil && !json.Valid([]byte(got)) {
				t.Fatalf("%s became no JSON: %s", body, got)
			}
			var refused *chat.RequestError
			if err != nil && !errors.As(err, &refused) {
				t.Fatalf("a %T: %v", err, err)
			}
		}
	})
}

// Agents of every SDK ask for a JSON answer beside their tools, and have tools that
// return images; Cohere takes neither.
func TestJSONBesideToolsIsAskedForInWords(t *testing.T) {
	const schema = `"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object"}}}`
	for in, want := range map[string]string{
		`{` + hello + `,` + weather + `,` + schema + `}`: `{"role":"system","content":"Answer with one valid JSON value and nothing else. It must match this JSON schema: {\"type\":\"object\"}"}`,
		`{` + hello + `,` + schema + `}`:                 `"response_format":{"type":"json_object","json_schema":{"type":"object"}}`,
	} {
		body, err := request(openai.Chat, Chat, in)
		if err != nil || !strings.Contains(body, want) || strings.Contains(body, "response_format") == strings.Contains(in, `"tools"`) {
			t.Errorf("%s became %s, %v", in, body, err)
		}
	}
}

func TestImagesOfResultsAreLeftOutInWords(t *testing.T) {
	body, err := request(openai.Responses, Chat, `{"input":[{"role":"user","content":"x"},{"type":"function_call","call_id":"a","name":"f","arguments":"{}"},`+
		`{"type":"function_call_output","call_id":"a","output":[{"type":"input_text","text":"see "},{"type":"input_image","image_url":"data:image/png;base64,QQ=="}]}]}`)
	if want := `"content":"see [An image was left out here: this model takes no images.]"`; err != nil || !strings.Contains(body, want) {
		t.Errorf("%s, %v", body, err)
	}
}
