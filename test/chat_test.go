package test

import (
	"net/http"
	"strings"
	"testing"
)

var templateRows = []row{
	{acceptance: []int{25}, name: "templates are filled in everywhere", path: "/(?<instance>[^/]+)/chat$",
		config: chat("model.name", "$(headers.x-model)", "model.options.upstream_url", "$UP/$(uri_captures.instance)/v1", "model.options.max_tokens", 7),
		send:   request{path: "/east/chat", header: map[string]string{"X-Model": "gpt-4o"}},
		want:   want{upPath: "/east/v1", up: obj{"model": "gpt-4o", "max_tokens": 7}}},
	{acceptance: []int{26}, name: "a capture that is not there", config: chat("model.name", "$(uri_captures.nothing)"),
		want: message(400, "uri_captures key nothing was not provided")},
	{acceptance: []int{27}, name: "an expression that is none", config: chat("model.name", "$(uri_captures_nothing)"),
		want: message(400, "cannot parse expression for field '$(uri_captures_nothing)'")},
	{acceptance: []int{28}, name: "a source that is none", config: chat("model.name", "$(cookies.x)"),
		want: message(400, "source 'cookies' is not supported")},
	{acceptance: []int{29}, name: "the model from the path", path: "/(?<model>[^#?/]+)/chat/completions$", config: chat("model.name", "$(uri_captures.model)"),
		send: request{path: "/gpt-4/chat/completions", body: strings.Replace(chatBody, "{", `{"model":"gpt-4",`, 1)},
		want: want{up: obj{"model": "gpt-4"}, header: map[string]string{"X-Kong-LLM-Model": "openai/gpt-4"}}},
	{acceptance: []int{30}, name: "another model than in the path", path: "/(?<model>[^#?/]+)/chat/completions$", config: chat("model.name", "$(uri_captures.model)"),
		send: request{path: "/gpt-4/chat/completions", body: strings.Replace(chatBody, "{", `{"model":"gpt-3.5-turbo",`, 1)},
		want: message(400, "cannot use own model - must be: gpt-4")},
	{acceptance: []int{31, 215, 216}, name: "a deployment from a header",
		config: provider("azure", "", "model.options.azure_instance", "i", "model.options.azure_deployment_id", "west-$(headers.x-model-name)", "model.options.upstream_url", absent{}, "model.name", "gpt-4o",
			"model.options.upstream_url", "$UP/openai/deployments/west-$(headers.x-model-name)/chat/completions"),
		send: request{header: map[string]string{"X-Model-Name": "gpt-4o"}},
		want: want{upPath: "/openai/deployments/west-gpt-4o/chat/completions", upQuery: map[string]string{"api-version": "2023-05-15"}}},
	{acceptance: []int{34}, name: "a model that would climb up the path",
		config: provider("gemini", "/", "model.options.upstream_url", "$UP/v1beta/models/$(headers.m):generateContent", "model.name", "$(headers.m)"),
		send:   request{header: map[string]string{"M": "../../evil"}}, want: want{status: 400, refused: true}},
}

var requestRows = []row{
	{acceptance: []int{36}, name: "no messages", config: chat(), send: request{body: `{"messages":[]}`}, want: message(400, "request body doesn't contain valid prompts")},
	{acceptance: []int{37}, name: "messages are null", config: provider("huggingface", "/v1/chat/completions"), send: request{body: `{"messages":null}`},
		want: message(400, "request body doesn't contain valid prompts")},
	{acceptance: []int{38}, name: "prompt is null", config: chat("route_type", "llm/v1/completions"), send: request{body: `{"prompt":null}`},
		want: message(400, "request body doesn't contain valid prompts")},
	{acceptance: []int{39}, name: "a model of the client's own", config: chat(), send: request{body: strings.Replace(chatBody, "{", `{"model":"mine",`, 1)},
		want: message(400, "cannot use own model - must be: gpt-4o")},
	{acceptance: []int{40}, name: "no model configured", config: chat("model.name", absent{}), send: request{body: strings.Replace(chatBody, "{", `{"model":"mine",`, 1)},
		want: want{up: obj{"model": "mine"}, header: map[string]string{"X-Kong-LLM-Model": "openai/mine"}}},
	{acceptance: []int{42}, name: "model is null", config: chat(), send: request{body: strings.Replace(chatBody, "{", `{"model":null,`, 1)}, want: want{up: obj{"model": "gpt-4o"}}},
	{acceptance: []int{43}, name: "model is empty", config: chat(), send: request{body: strings.Replace(chatBody, "{", `{"model":"",`, 1)}, want: want{up: obj{"model": "gpt-4o"}}},
	{acceptance: []int{44}, name: "no model anywhere", config: chat("model.name", absent{}), want: message(400, "model parameter not found in request, nor in gateway configuration")},
	{acceptance: []int{45}, name: "messages on a completions route", config: chat("route_type", "llm/v1/completions"),
		want: message(400, "[llm/v1/chat] message format is not compatible with [llm/v1/completions] route type")},
	{acceptance: []int{46}, name: "a prompt on a chat route", config: chat(), send: request{body: `{"prompt":"hi"}`},
		want: message(400, "[llm/v1/completions] message format is not compatible with [llm/v1/chat] route type")},
	{acceptance: []int{47}, name: "messages and a prompt", config: chat(), send: request{body: strings.Replace(chatBody, "{", `{"prompt":"hi",`, 1)},
		want: message(400, "request matches multiple LLM request formats")},
	{acceptance: []int{48}, name: "streams are denied", config: chat("response_streaming", "deny"), send: request{body: streamBody},
		want: message(400, "response streaming is not enabled for this LLM")},
	{acceptance: []int{51}, name: "no content type", config: chat(), send: request{header: map[string]string{"Content-Type": ""}}},
	{acceptance: []int{52}, name: "a content type with parameters", config: chat(), send: request{header: map[string]string{"Content-Type": "application/json; charset=utf-8"}}},
	{acceptance: []int{53}, name: "a form", config: chat("route_type", "llm/v1/completions"), send: request{body: "prompt=hi+there", header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}},
		answer: answer{body: `{"object":"text_completion","choices":[{"text":"x"}]}`}, want: want{up: obj{"prompt": "hi there", "model": "gpt-4o"}, upHeader: map[string]string{"Content-Type": "application/json"}}},
	{acceptance: []int{54}, name: "no JSON", config: chat(), send: request{body: `{"messages":[`}, want: want{status: 400, refused: true, body: []string{"request body is not valid JSON: "}}},
	{acceptance: []int{55}, name: "a body over the limit", config: chat("max_request_body_size", 100), send: request{body: chatBody + strings.Repeat(" ", 200)},
		want: message(413, "request body is larger than the 100 bytes that max_request_body_size allows")},
	{acceptance: []int{56}, name: "a large body without a limit", config: chat("max_request_body_size", 0),
		send: request{body: `{"messages":[{"role":"user","content":"` + strings.Repeat("x", 2<<20) + `"}]}`}},
	{acceptance: []int{57}, name: "several prompts", config: chat("route_type", "llm/v1/completions"), send: request{body: `{"prompt":["a","b"]}`},
		want: want{up: obj{"prompt": list{"a", "b"}}}},
}

var openAIRows = []row{
	{acceptance: []int{84}, name: "a chat", config: chat(),
		want: want{json: obj{"id": "chatcmpl-1", "model": "gpt-4o-2024-08-06", "choices.0.message.content": "The sum is 2."}, header: map[string]string{"X-Kong-LLM-Model": "openai/gpt-4o"}}},
	{acceptance: []int{88}, name: "top_k is not OpenAI's", config: chat("model.options.top_k", 40), want: want{up: obj{"top_k": absent{}}}},
	{acceptance: []int{89}, name: "a completion", config: chat("route_type", "llm/v1/completions"), send: request{body: `{"prompt":"hi"}`},
		answer: answer{body: `{"id":"cmpl-1","object":"text_completion","choices":[{"text":"hello","index":0,"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`},
		want:   want{json: obj{"object": "text_completion", "choices.0.text": "hello"}}},
	{acceptance: []int{90}, name: "an answer without choices", config: chat(), answer: answer{body: `{"id":"x"}`},
		want: want{status: 500, json: obj{"error.message": "transformation failed from type openai://llm/v1/chat: 'choices' not in llm/v1/chat response"}}},
	{acceptance: []int{91}, name: "an error that is no JSON", config: chat(), answer: answer{status: 500, header: map[string]string{"Content-Type": "text/html"}, body: "<html>down</html>"},
		want: want{status: 500, exactly: "<html>down</html>", header: map[string]string{"Content-Type": "text/html", "X-Kong-LLM-Model": ""}, log: obj{"ai.proxy.meta.outcome": "failed", "ai.proxy.usage.total_tokens": 0}}},
	{acceptance: []int{93}, name: "text and an image", config: chat(),
		send: request{body: `{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}]}`},
		want: want{up: obj{"messages.0.content.1.image_url.url": "https://x/y.png"}}},
	{acceptance: []int{95, 97}, name: "the plugin's options win", config: chat("model.options.max_tokens", 1024, "model.options.top_p", 0.5),
		send: request{body: strings.Replace(chatBody, "{", `{"temperature":0.1,"top_p":0.9,`, 1)}, want: want{up: obj{"max_tokens": 1024, "top_p": 0.5, "temperature": 0.1}}},
	{acceptance: []int{96}, name: "newer models count differently", config: chat("model.name", "gpt-5-mini", "model.options.max_tokens", 512),
		want: want{up: obj{"max_completion_tokens": 512, "max_tokens": absent{}}}},
	{acceptance: []int{98}, name: "choices are null", config: chat(), answer: answer{body: `{"choices":null}`}, want: want{body: []string{`null`}}},
	{acceptance: []int{99}, name: "no model header", config: chat("model_name_header", false), want: want{header: map[string]string{"X-Kong-LLM-Model": ""}}},
	{acceptance: []int{99}, name: "the model header for debugging", config: chat("model_name_header", false), send: request{header: map[string]string{"Kong-Debug": "1"}},
		want: want{header: map[string]string{"X-Kong-LLM-Model": "openai/gpt-4o"}}},
	{acceptance: []int{100}, name: "the path of upstream_url", config: chat("model.options.upstream_url", "$UP/chat/completions"), want: want{upPath: "/chat/completions"}},
	{acceptance: []int{101}, name: "extra_body", config: chat(), send: request{body: strings.Replace(chatBody, "{", `{"extra_body":{"x":1},`, 1)},
		want: want{up: obj{"x": 1, "extra_body": absent{}}}},
	{acceptance: []int{242, 244}, name: "embeddings", config: chat("route_type", "llm/v1/embeddings", "model.name", "text-embedding-3-small", "model.options.embeddings_dimensions", 20, "model.options.upstream_url", "$UP/v1/embeddings"),
		send: request{body: `{"input":["a","b"]}`}, answer: answer{body: `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"model":"text-embedding-3-small","usage":{"prompt_tokens":8,"total_tokens":8}}`},
		want: want{up: obj{"input": list{"a", "b"}, "dimensions": 20, "model": "text-embedding-3-small"}, json: obj{"data.0.embedding.0": 0.5},
			log: obj{"ai.proxy.usage.prompt_tokens": 8, "ai.proxy.usage.completion_tokens": 0, "ai.proxy.meta.response_model": "text-embedding-3-small"}}},
	{acceptance: []int{243}, name: "preserve changes nothing", config: chat("route_type", "preserve", "model.name", absent{}, "model.options.upstream_url", "$UP"),
		send: request{path: "/v1/anything", body: `{ "model" : "text-embedding-ada-002" , "input":"x"}`}, answer: answer{body: `{ "odd" : true }`},
		want: want{upBody: `{ "model" : "text-embedding-ada-002" , "input":"x"}`, exactly: `{ "odd" : true }`}},
	{acceptance: []int{252}, name: "responses", config: chat("route_type", "llm/v1/responses", "model.options.upstream_url", "$UP/v1/responses"), send: request{body: `{"input":"hi"}`},
		answer: answer{body: `{"id":"resp_1","object":"response","model":"gpt-4o","output":[],"usage":{"input_tokens":5,"output_tokens":3,"total_tokens":8}}`},
		want:   want{json: obj{"id": "resp_1"}, log: obj{"ai.proxy.usage.input_tokens": 5, "ai.proxy.usage.output_tokens": 3}}},
}

var translatedRows = []row{
	{acceptance: []int{131}, name: "anthropic answers", config: provider("anthropic", "/v1/messages", "model.name", "claude-x", "model.options.anthropic_version", "2023-06-01", "model.options.max_tokens", 64),
		answer: answer{body: anthropicAnswer},
		want: want{upHeader: map[string]string{"anthropic-version": "2023-06-01"}, up: obj{"model": "claude-x", "max_tokens": 64, "system": func(v any) bool { _, gone := v.(absent); return !gone }, "messages.0.role": "user"},
			json: obj{"object": "chat.completion", "choices.0.message.content": "The sum is 2.", "choices.0.finish_reason": "stop", "usage.prompt_tokens": 25}}},
	{acceptance: []int{132}, name: "anthropic answers nonsense", config: provider("anthropic", "/v1/messages", "model.options.anthropic_version", "2023-06-01"), answer: answer{body: `{"id":"x"}`},
		want: want{status: 500, json: obj{"error.message": "transformation failed from type anthropic://llm/v1/chat: 'content' not in anthropic://llm/v1/chat response"}}},
	{acceptance: []int{143}, name: "anthropic's cached tokens are part of the prompt", config: provider("anthropic", "/v1/messages", "model.options.anthropic_version", "2023-06-01"),
		answer: answer{body: strings.Replace(anthropicAnswer, `"input_tokens":25`, `"input_tokens":3,"cache_read_input_tokens":10,"cache_creation_input_tokens":5`, 1)},
		want:   want{json: obj{"usage.prompt_tokens": 18}, log: obj{"ai.proxy.usage.prompt_tokens": 18, "ai.proxy.usage.prompt_tokens_details.cached_tokens": 10}}},
	{acceptance: []int{177}, name: "gemini answers", config: provider("gemini", "/v1beta/models/gemini-x:generateContent", "model.name", "gemini-x", "model.options.input_cost", 15, "model.options.output_cost", 15, "logging.log_payloads", true),
		answer: answer{body: geminiAnswer},
		want: want{up: obj{"contents.0.parts.0.text": "What is 1 + 1?", "messages": absent{}}, json: obj{"choices.0.message.content": "Everything is okay.", "choices.0.finish_reason": "stop"},
			log: obj{"ai.proxy.usage.prompt_tokens": 2, "ai.proxy.usage.completion_tokens": 11, "ai.proxy.usage.total_tokens": 13, "ai.proxy.usage.cost": 0.000195,
				"ai.proxy.payload.request": func(v any) bool { s, _ := v.(string); return strings.Contains(s, "contents") }}}},
	{acceptance: []int{188}, name: "gemini stops for safety", config: provider("gemini", "/v1beta/models/gemini-x:generateContent", "model.name", "gemini-x"),
		answer: answer{body: `{"candidates":[{"finishReason":"SAFETY","index":0}],"usageMetadata":{"promptTokenCount":2,"totalTokenCount":2}}`}, want: want{json: obj{"choices.0.finish_reason": "content_filter"}}},
	{acceptance: []int{209}, name: "azure", config: azure(), want: want{upQuery: map[string]string{"api-version": "2023-05-15"}, upHeader: map[string]string{"Api-Key": "configured-key"}}},
	{acceptance: []int{210}, name: "azure, another version", config: azure(), send: request{query: "api-version=X"}, want: want{upQuery: map[string]string{"api-version": "X"}}},
	{acceptance: []int{217}, name: "azure's log entry", config: azure(), want: want{log: obj{"ai.proxy.meta.azure_instance_id": "inst", "ai.proxy.meta.azure_deployment_id": "dep", "ai.proxy.meta.azure_api_version": "2023-05-15"}}},
}

const (
	anthropicAnswer = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"text","text":"The sum is 2."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":25,"output_tokens":12}}`
	geminiAnswer    = `{"candidates":[{"content":{"role":"model","parts":[{"text":"Everything is okay."}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":2,"candidatesTokenCount":11,"totalTokenCount":13},"modelVersion":"gemini-x-001"}`
)

func azure(more ...any) obj {
	return with(provider("azure", "/openai/deployments/dep/chat/completions", "auth.header_name", "api-key", "auth.header_value", "configured-key",
		"model.options.azure_instance", "inst", "model.options.azure_deployment_id", "dep"), more...)
}

func TestTemplates(t *testing.T)  { run(t, templateRows) }
func TestRequests(t *testing.T)   { run(t, requestRows) }
func TestOpenAI(t *testing.T)     { run(t, openAIRows) }
func TestTranslated(t *testing.T) { run(t, translatedRows) }

// Acceptance 41.
func TestModelOfOneClientIsNotUsedForTheNext(t *testing.T) {
	up := newUpstream(t, answer{})
	config := chat("model.name", absent{}, "model.options.upstream_url", up.URL+"/v1/chat/completions")
	g := start(t, nil, "-config", writeConfig(t, declare(on("/chat", config))))
	for _, model := range []string{"one", "two", "three", "one", "four"} {
		resp, err := client.Post(g.url+"/chat", "application/json", strings.NewReader(strings.Replace(chatBody, "{", `{"model":"`+model+`",`, 1)))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("X-Kong-LLM-Model"); resp.StatusCode != http.StatusOK || got != "openai/"+model {
			t.Errorf("%d %s for %s", resp.StatusCode, got, model)
		}
	}
}
