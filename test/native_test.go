package test

import (
	"strconv"
	"strings"
	"testing"
)

// native is a configuration for clients of a provider's own format. The
// upstream is known by its host alone: the path is the API's.
func native(format string, config obj, more ...any) obj {
	return with(config, append([]any{"llm_format", format, "model.options.upstream_url", "$UP", "logging.log_statistics", true}, more...)...)
}

// to is a request to a path of a native API.
func to(path, body string) request { return request{path: path, body: body} }

const (
	messagesBody = `{"model":"claude-2.1","max_tokens":64,"system":"Be brief.","messages":[{"role":"user","content":"hi"}]}`
	messagesTool = `{"max_tokens":64,"stream":true,"tools":[{"name":"weather","description":"Of a city","input_schema":` + weatherSchema + `}],"tool_choice":{"type":"auto"},"messages":[{"role":"user","content":"Weather in Paris?"},` +
		`{"role":"assistant","content":[{"type":"text","text":"I look."},{"type":"tool_use","id":"toolu_1","name":"weather","input":{"city":"Paris"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"sunny"},{"type":"text","text":"And Rome?"}]}]}`
	generateBody    = `{ "contents": [{"role": "user", "parts": [{"text": "hi"}]}] , "safetySettings":[] }`
	converseBody    = `{ "messages": [{"role": "user", "content": [{"text": "hi"}]}] , "inferenceConfig":{"maxTokens":9} }`
	invokeBody      = `{ "anthropic_version":"bedrock-2023-05-31", "max_tokens":9, "messages":[{"role":"user","content":"hi"}] }`
	cohereEmbedBody = `{ "model":"embed-v4.0", "texts":["x"], "input_type":"search_query", "embedding_types":["float"] }`
	rerankBody      = `{ "model":"rerank-v3.5", "query":"capital?", "documents":["Paris","Rome"], "return_documents":true }`
	tgiBody         = `{ "inputs":"What are you?", "parameters":{"max_new_tokens":9,"details":true} }`
)

var claudeEvents = claudeStream(`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`, `{"type":"ping"}`, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}`,
	`{"type":"content_block_stop","index":0}`, `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":5}}`, `{"type":"message_stop"}`)

// toolDeltas is a stream of OpenAI's that calls a tool.
var toolDeltas = sse(`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-5-mini","choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"call_2","type":"function","function":{"name":"weather","arguments":""}}]},"finish_reason":null}]}`,
	`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-5-mini","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"city\":"}}]},"finish_reason":null}]}`,
	`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-5-mini","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"Rome\"}"}}]},"finish_reason":null}]}`,
	`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-5-mini","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`,
	`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-5-mini","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":6,"total_tokens":15}}`, done)

// asClaude is an answer in Anthropic's format.
func asClaude(text string) obj {
	return obj{"type": "message", "role": "assistant", "content": document(`[{"type":"text","text":"` + text + `"}]`), "stop_reason": "end_turn", "choices": gone}
}

func vertexAI(name string, more ...any) obj {
	return gemini(append([]any{"model.name", name, "auth", obj{"header_name": "Authorization", "header_value": "Bearer t", "allow_override": false},
		"model.options.gemini", obj{"api_endpoint": "us-east5-aiplatform.googleapis.com", "project_id": "p", "location_id": "us-east5"}}, more...)...)
}

const vertexModels = "/v1/projects/p/locations/us-east5/publishers/"

var nativeAnthropicRows = []row{
	{acceptance: []int{145}, name: "anthropic, a stream", config: native("anthropic", anthropic()), send: to("/v1/messages", strings.Replace(messagesBody, "{", `{"stream":true,`, 1)), answer: claudeEvents,
		want: want{upPath: "/v1/messages", upHeader: map[string]string{"x-api-key": "k", "anthropic-version": "2023-06-01"}, upBody: strings.Replace(messagesBody, "{", `{"stream":true,`, 1), exactly: claudeEvents.body, header: asStream,
			log: obj{"ai.proxy.usage.prompt_tokens": 9, "ai.proxy.usage.completion_tokens": 5, "ai.proxy.meta.request_mode": "stream", "ai.proxy.meta.response_model": "claude-2.1"}}},
	{acceptance: []int{145}, name: "anthropic", config: native("anthropic", anthropic()), send: to("/v1/messages", messagesBody), answer: claudeSpoke,
		want: want{exactly: claudeSpoke.body, log: obj{"ai.proxy.usage.prompt_tokens": 3, "ai.proxy.usage.completion_tokens": 4, "ai.proxy.meta.request_mode": "oneshot"}}},
	{acceptance: []int{145}, name: "anthropic, by its whole URL", config: native("anthropic", anthropic(), "model.options.upstream_url", "$UP/behind/v1/messages"), send: to("/v1/messages", messagesBody), answer: claudeSpoke, want: want{upPath: "/behind/v1/messages"}},
	{acceptance: []int{145}, name: "anthropic, a route of no path", config: native("anthropic", anthropic(), "model.options.upstream_url", "$UP/v1/messages"), send: request{body: messagesBody}, answer: claudeSpoke, want: want{exactly: claudeSpoke.body}},
	{acceptance: []int{146}, name: "anthropic on openai, tools in a stream", config: native("anthropic", chat("model.name", "gpt-5-mini"), "model.options.upstream_url", "$UP/v1/chat/completions"), send: to("/v1/messages", messagesTool), answer: toolDeltas,
		want: want{upPath: "/v1/chat/completions", up: obj{"model": "gpt-5-mini", "stream": true, "tools": document(`[` + weatherTool + `]`), "tool_choice": "auto", "messages.0.role": "user",
			"messages.1.tool_calls": document(`[{"id":"toolu_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Paris\"}"}}]`), "messages.2.role": "tool", "messages.2.tool_call_id": "toolu_1", "messages.2.content": "sunny", "messages.3.role": "user"},
			header: asStream, body: []string{"event: message_start\ndata: {", `"type":"tool_use","id":"call_2","name":"weather"`, `"partial_json":"{\"city\":"`, `"partial_json":"\"Rome\"}"`, `"stop_reason":"tool_use"`, "event: message_stop\n"},
			log: obj{"ai.proxy.usage.prompt_tokens": 9, "ai.proxy.usage.completion_tokens": 6}}},
	{acceptance: []int{147}, name: "anthropic on azure", config: native("anthropic", azure("auth", obj{"header_name": "Authorization", "header_value": "Bearer k"})), send: to("/v1/messages", strings.Replace(messagesBody, `"model":"claude-2.1",`, "", 1)),
		want: want{upPath: "/openai/deployments/dep/chat/completions", upQuery: map[string]string{"api-version": "2023-05-15"}, up: obj{"messages.0": document(`{"role":"system","content":"Be brief."}`)}, json: asClaude("The sum is 2."),
			log: obj{"ai.proxy.meta.azure_instance_id": "inst", "ai.proxy.meta.azure_deployment_id": "dep", "ai.proxy.meta.azure_api_version": "2023-05-15"}}},
	{acceptance: []int{148}, name: "anthropic on bedrock", config: native("anthropic", bedrock("", "model.name", "us.anthropic.claude-haiku-4-5-20251001-v1:0", "model.options.anthropic_version", "bedrock-2023-05-31")),
		send: to("/v1/messages", strings.Replace(messagesBody, `"model":"claude-2.1",`, "", 1)), answer: claudeSpoke,
		want: want{upPath: "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke", up: obj{"anthropic_version": "bedrock-2023-05-31", "model": gone, "stream": gone, "max_tokens": 64, "system": "Be brief."}, exactly: claudeSpoke.body,
			log: obj{"ai.proxy.usage.prompt_tokens": 3, "ai.proxy.usage.completion_tokens": 4}}},
	{acceptance: []int{149}, name: "anthropic on vertex", config: native("anthropic", vertexAI("gemini-2.0-flash")), send: to("/v1/messages", strings.Replace(messagesBody, `"model":"claude-2.1",`, "", 1)), answer: geminiSpoke,
		want: want{upPath: vertexModels + "google/models/gemini-2.0-flash:generateContent", up: obj{"contents": document(`[{"role":"user","parts":[{"text":"hi"}]}]`), "systemInstruction.parts.0.text": "Be brief.", "generationConfig.maxOutputTokens": 64}, json: asClaude("Everything is okay.")}},
	{acceptance: []int{150}, name: "anthropic on huggingface", config: native("anthropic", huggingface("")), send: to("/v1/messages", strings.Replace(messagesBody, `"model":"claude-2.1",`, "", 1)), answer: answer{body: hfAnswer},
		want: want{upPath: "/v1/chat/completions", up: obj{"messages.0.role": "system", "model": "mistralai/Mistral-7B-Instruct-v0.2"}, json: obj{"type": "message", "content.0.text": contains("The sum of 1 + 1 is 2."), "choices": gone}}},
	{acceptance: []int{151}, name: "anthropic on dashscope", config: native("anthropic", provider("dashscope", "", "model.name", "qwen-plus")), send: to("/v1/messages", strings.Replace(messagesBody, `"model":"claude-2.1",`, "", 1)),
		want: want{upPath: "/compatible-mode/v1/chat/completions", json: asClaude("The sum is 2."), header: map[string]string{"X-Kong-LLM-Model": "dashscope/qwen-plus"}}},
	{acceptance: []int{152}, name: "anthropic's Claude on vertex", config: native("anthropic", vertexAI("claude-sonnet-4-5", "model.options.anthropic_version", "vertex-2023-10-16")), answer: claudeSpoke,
		send: to("/v1/messages", strings.Replace(strings.Replace(messagesBody, `"model":"claude-2.1",`, "", 1), "{", `{"output_config":{"effort":"high"},`, 1)),
		want: want{upPath: vertexModels + "anthropic/models/claude-sonnet-4-5:rawPredict", up: obj{"output_config": gone, "model": gone, "anthropic_version": "vertex-2023-10-16"}, exactly: claudeSpoke.body}},
	{acceptance: []int{152}, name: "anthropic on vertex, Claude's own", config: native("anthropic", vertexAI("gemini-2.5-flash", "model.options.anthropic_version", "vertex-2023-10-16")), answer: geminiSpoke,
		send: to("/v1/messages", strings.Replace(strings.Replace(messagesBody, `"model":"claude-2.1",`, "", 1), "{", `{"output_config":{"effort":"high"},`, 1)), want: want{up: obj{"output_config": gone}, json: asClaude("Everything is okay.")}},
	{acceptance: []int{153}, name: "anthropic, thinking in the history", config: native("anthropic", anthropic()), answer: claudeSpoke,
		send: to("/v1/messages", `{"max_tokens":64,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking","thinking":"","signature":""},{"type":"thinking","thinking":"","signature":"c2ln"},{"type":"text","text":"b"}]},{"role":"user","content":"c"}]}`),
		want: want{up: obj{"messages.1.content": document(`[{"type":"thinking","thinking":"","signature":"c2ln"},{"type":"text","text":"b"}]`)}}},
	{acceptance: []int{153}, name: "anthropic, thinking without its text", config: native("anthropic", anthropic()), answer: claudeSpoke,
		send: to("/v1/messages", `{"max_tokens":64,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking","thinking":""},{"type":"thinking","signature":"c2ln"},{"type":"text","text":"b"}]},{"role":"user","content":"c"}]}`),
		want: want{up: obj{"messages.1.content": document(`[{"type":"thinking","signature":"c2ln"},{"type":"text","text":"b"}]`)}}},
	{acceptance: []int{146}, name: "anthropic on openai, a tool called", config: native("anthropic", chat("model.name", "gpt-5-mini"), "model.options.upstream_url", "$UP/v1/chat/completions"), send: to("/v1/messages", strings.Replace(messagesTool, `"stream":true,`, "", 1)),
		answer: answer{body: strings.Replace(strings.Replace(openAIAnswer, `"content":"The sum is 2."`, `"content":null,"tool_calls":[{"id":"call_2","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Rome\"}"}}]`, 1), `"stop"`, `"tool_calls"`, 1)},
		want:   want{json: obj{"content": document(`[{"type":"tool_use","id":"call_2","name":"weather","input":{"city":"Rome"}}]`), "stop_reason": "tool_use", "usage.input_tokens": 25, "usage.output_tokens": 12}}},
}

var nativeRows = []row{
	{acceptance: []int{167}, name: "bedrock", config: native("bedrock", bedrock("")), send: request{path: "/model/meta.llama3-70b-instruct-v1%3A0/converse", body: converseBody, header: map[string]string{"Authorization": "AWS4-HMAC-SHA256 Credential=dummy/20240101/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=00"}},
		answer: bedrockSpoke, want: want{upPath: "/model/meta.llama3-70b-instruct-v1%3A0/converse", upBody: converseBody, exactly: bedrockSpoke.body, log: obj{"ai.proxy.usage.prompt_tokens": 19, "ai.proxy.usage.completion_tokens": 9, "ai.proxy.usage.total_tokens": 28}}},
	{acceptance: []int{167}, name: "bedrock, the model in the path only", config: native("bedrock", bedrock("", "model.name", gone)), send: to("/model/some.model/converse", converseBody), answer: bedrockSpoke,
		want: want{upPath: "/model/some.model/converse", header: map[string]string{"X-Kong-LLM-Model": "bedrock/some.model"}}},
	{acceptance: []int{168}, name: "bedrock, a stream", config: native("bedrock", bedrock("", "model.name", "aws-titan-v1:0")), send: to("/model/aws-titan-v1:0/converse-stream", converseBody), answer: bedrockStream,
		want: want{upBody: converseBody, exactly: bedrockStream.body, header: map[string]string{"X-Kong-LLM-Model": "bedrock/aws-titan-v1:0", "Content-Type": "application/vnd.amazon.eventstream"},
			log: obj{"ai.proxy.usage.prompt_tokens": 19, "ai.proxy.usage.completion_tokens": 9, "ai.proxy.meta.request_mode": "stream"}}},
	{acceptance: []int{170}, name: "bedrock, rerank", config: native("bedrock", bedrock("")), send: to("/rerank", `{"queries":[{"type":"TEXT","textQuery":{"text":"q"}}],"sources":[]}`), answer: answer{body: `{"results":[{"index":0,"relevanceScore":0.5}]}`},
		want: want{upPath: "/rerank", upBody: `{"queries":[{"type":"TEXT","textQuery":{"text":"q"}}],"sources":[]}`, exactly: `{"results":[{"index":0,"relevanceScore":0.5}]}`}},
	{acceptance: []int{171}, name: "bedrock, retrieve and generate", config: native("bedrock", bedrock("", "model.name", "m")), send: to("/model/m/retrieveAndGenerate", `{"input":{"text":"hi"}}`), answer: answer{body: `{"output":{"text":"hello"},"sessionId":"s"}`},
		want: want{upPath: "/retrieveAndGenerate", upBody: `{"input":{"text":"hi"}}`, exactly: `{"output":{"text":"hello"},"sessionId":"s"}`}},
	{acceptance: []int{172}, name: "bedrock, invoke", config: native("bedrock", bedrock("", "model.name", "m")), send: to("/model/m/invoke", invokeBody), answer: claudeSpoke,
		want: want{upPath: "/model/m/invoke", upBody: invokeBody, exactly: claudeSpoke.body, log: obj{"ai.proxy.usage.prompt_tokens": 3, "ai.proxy.usage.completion_tokens": 4}}},
	{acceptance: []int{195}, name: "gemini", config: native("gemini", gemini("auth", obj{"param_name": "key", "param_value": "k1", "param_location": "query"})), send: request{path: "/v1beta/models/gemini-1.5-flash:generateContent", query: "key=theirs", body: generateBody}, answer: geminiSpoke,
		want: want{upPath: "/v1beta/models/gemini-1.5-flash:generateContent", upQuery: map[string]string{"key": "k1"}, upBody: generateBody, exactly: geminiSpoke.body,
			log: obj{"ai.proxy.usage.prompt_tokens": 2, "ai.proxy.usage.completion_tokens": 11, "ai.proxy.meta.response_model": "gemini-1.5-flash-002"}}},
	{acceptance: []int{196}, name: "gemini, a stream", config: native("gemini", gemini()), send: to("/v1beta/models/gemini-1.5-flash:streamGenerateContent", generateBody), answer: geminiArray,
		want: want{upPath: "/v1beta/models/gemini-1.5-flash:streamGenerateContent", upBody: generateBody, exactly: geminiArray.body, header: map[string]string{"X-Kong-LLM-Model": "gemini/gemini-1.5-flash", "Content-Type": "application/json"},
			log: obj{"ai.proxy.usage.prompt_tokens": 2, "ai.proxy.usage.completion_tokens": 5, "ai.proxy.meta.request_mode": "stream"}}},
	{acceptance: []int{196}, name: "gemini, a stream of events", config: native("gemini", gemini()), send: request{path: "/v1beta/models/gemini-1.5-flash:streamGenerateContent", query: "alt=sse", body: generateBody}, answer: sse(geminiChunk("Everything ", 3), geminiChunk("is okay.", 5)),
		want: want{upQuery: map[string]string{"alt": "sse"}, exactly: sse(geminiChunk("Everything ", 3), geminiChunk("is okay.", 5)).body, header: asStream, log: obj{"ai.proxy.usage.completion_tokens": 5}}},
	{acceptance: []int{198}, name: "vertex, a stream", config: native("gemini", vertexAI("gemini-2.0-flash")), send: to(vertexModels+"google/models/gemini-2.0-flash:streamGenerateContent", generateBody), answer: geminiArray,
		want: want{upPath: vertexModels + "google/models/gemini-2.0-flash:streamGenerateContent", exactly: geminiArray.body, header: map[string]string{"Content-Type": "application/json"}}},
	{acceptance: []int{207}, name: "cohere, rerank", config: native("cohere", cohere("", "model.name", "rerank-v3.5")), send: to("/v1/rerank", rerankBody), answer: answer{body: `{ "id":"r", "results":[], "meta":{"billed_units":{"search_units":1}} }`},
		want: want{upPath: "/v1/rerank", upBody: rerankBody, upHeader: map[string]string{"Authorization": "Bearer cohere-key"}, exactly: `{ "id":"r", "results":[], "meta":{"billed_units":{"search_units":1}} }`}},
	{acceptance: []int{207}, name: "cohere, rerank of the second version", config: native("cohere", cohere("", "model.name", "rerank-v3.5")), send: to("/v2/rerank", rerankBody), answer: answer{body: `{ "id":"r", "results":[] }`}, want: want{upPath: "/v2/rerank", upBody: rerankBody, exactly: `{ "id":"r", "results":[] }`}},
	{acceptance: []int{207}, name: "cohere, rerank without a version", config: native("cohere", cohere("", "model.name", "rerank-v3.5")), send: to("/rerank", rerankBody), answer: answer{body: `{"id":"r","results":[]}`}, want: want{upPath: "/v1/rerank", upBody: rerankBody}},
	{name: "cohere, embeddings", config: native("cohere", cohere("", "model.name", "embed-v4.0")), send: to("/v2/embed", cohereEmbedBody), answer: answer{body: `{ "embeddings":{"float":[[0.5]]}, "meta":{"billed_units":{"input_tokens":4}} }`},
		want: want{upPath: "/v2/embed", upBody: cohereEmbedBody, exactly: `{ "embeddings":{"float":[[0.5]]}, "meta":{"billed_units":{"input_tokens":4}} }`, log: obj{"ai.proxy.usage.prompt_tokens": 4}}},
	{acceptance: []int{228}, name: "huggingface", config: native("huggingface", huggingface("")), send: to("/generate", tgiBody), answer: answer{body: `{ "generated_text":"A model.", "details":{"finish_reason":"length","generated_tokens":3,"prefill":[{"id":1},{"id":2}]} }`},
		want: want{upBody: tgiBody, exactly: `{ "generated_text":"A model.", "details":{"finish_reason":"length","generated_tokens":3,"prefill":[{"id":1},{"id":2}]} }`, log: obj{"ai.proxy.usage.prompt_tokens": 2, "ai.proxy.usage.completion_tokens": 3}}},
	{acceptance: []int{228}, name: "huggingface, a stream", config: native("huggingface", huggingface("")), send: to("/generate_stream", tgiBody), answer: tgiStream,
		want: want{upBody: tgiBody, exactly: tgiStream.body, header: asStream, log: obj{"ai.proxy.usage.completion_tokens": 2, "ai.proxy.meta.request_mode": "stream"}}},
}

func geminiChunk(text string, n int) string {
	return strings.NewReplacer("TEXT", text, "COUNT", strconv.Itoa(n)).Replace(`{"candidates":[{"content":{"role":"model","parts":[{"text":"TEXT"}]},"safetyRatings":[{"category":"HARM_CATEGORY_HARASSMENT","probability":"LOW"}]}],"usageMetadata":{"promptTokenCount":2,"candidatesTokenCount":COUNT},"modelVersion":"gemini-1.5-flash-002"}`)
}

var (
	geminiArray = answer{body: "[" + geminiChunk("Everything ", 3) + "\n,\r\n" + geminiChunk("is okay.", 5) + "\n]\n"}
	tgiStream   = answer{header: asStream, body: "data:{\"index\":1,\"token\":{\"id\":1,\"text\":\"A\",\"logprob\":-1,\"special\":false},\"generated_text\":null,\"details\":null}\n\n" +
		"data:{\"index\":2,\"token\":{\"id\":2,\"text\":\" model\",\"logprob\":-1,\"special\":false},\"generated_text\":\"A model\",\"details\":{\"finish_reason\":\"length\",\"generated_tokens\":2,\"seed\":null}}\n\n"}
)

func TestNativeAnthropic(t *testing.T) { run(t, nativeAnthropicRows) }
func TestNative(t *testing.T)          { run(t, nativeRows) }
