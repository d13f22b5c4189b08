package test

import (
	"bytes"
	endian "encoding/binary"
	"hash/crc32"
	"net/http"
	"strings"
	"testing"
)

func bedrock(path string, more ...any) obj {
	return with(provider("bedrock", path, "model.name", "meta.llama3-70b-instruct-v1:0", "auth", obj{"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret", "allow_override": false},
		"model.options.bedrock.aws_region", "us-east-1"), more...)
}

// bedrockSays is an answer of Converse with this content and stop reason.
func bedrockSays(content, stop string) answer {
	return answer{body: `{"metrics":{"latencyMs":1},"output":{"message":{"role":"assistant","content":[` + content + `]}},"stopReason":"` + stop + `","usage":{"inputTokens":19,"outputTokens":9,"totalTokens":28}}`}
}

const bedrockText = `{"text":"You cannot."}`

var bedrockSpoke = bedrockSays(bedrockText, "end_turn")

// frames is a stream of AWS, of pairs of an event type and a payload.
func frames(pairs ...string) answer {
	var b bytes.Buffer
	for i := 0; i < len(pairs); i += 2 {
		var head []byte
		for _, kv := range [][2]string{{":event-type", pairs[i]}, {":content-type", "application/json"}, {":message-type", "event"}} {
			head = append(append(head, byte(len(kv[0]))), kv[0]...)
			head = append(endian.BigEndian.AppendUint16(append(head, 7), uint16(len(kv[1]))), kv[1]...)
		}
		frame := endian.BigEndian.AppendUint32(nil, uint32(12+len(head)+len(pairs[i+1])+4))
		frame = endian.BigEndian.AppendUint32(frame, uint32(len(head)))
		frame = endian.BigEndian.AppendUint32(frame, crc32.ChecksumIEEE(frame))
		frame = append(append(frame, head...), pairs[i+1]...)
		b.Write(endian.BigEndian.AppendUint32(frame, crc32.ChecksumIEEE(frame)))
	}
	return answer{header: map[string]string{"Content-Type": "application/vnd.amazon.eventstream"}, body: b.String()}
}

var bedrockStream = frames("messageStart", `{"role":"assistant"}`, "contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"You "}}`, "contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"cannot."}}`,
	"contentBlockStop", `{"contentBlockIndex":0}`, "messageStop", `{"stopReason":"end_turn"}`, "metadata", `{"usage":{"inputTokens":19,"outputTokens":9,"totalTokens":28},"metrics":{"latencyMs":1}}`)

func signed(v any) bool {
	s, ok := v.(string)
	return ok && strings.Contains(s, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") && strings.Contains(s, "/us-east-1/bedrock/aws4_request")
}

var bedrockRows = []row{
	{acceptance: []int{154}, name: "a dialogue", config: bedrock("/model/m/converse", "model.options.max_tokens", 8192, "model.options.temperature", 0.8, "model.options.top_p", 0.6), send: request{body: kongChat}, answer: bedrockSpoke,
		want: want{up: obj{whole: document(`{"system":[{"text":"You are a mathematician."}],"messages":[{"role":"user","content":[{"text":"What is 1 + 2?"}]},{"role":"assistant","content":[{"text":"It is 3."}]},` +
			`{"role":"user","content":[{"text":"Multiply that by 2"}]},{"role":"assistant","content":[{"text":"That makes 6."}]},{"role":"user","content":[{"text":"Why can't you divide by zero?"}]}],` +
			`"inferenceConfig":{"maxTokens":8192,"temperature":0.8,"topP":0.6}}`)},
			json: obj{"choices.0.message": document(`{"role":"assistant","content":"You cannot."}`), "model": "meta.llama3-70b-instruct-v1:0", "usage.prompt_tokens": 19, "usage.completion_tokens": 9, "usage.total_tokens": 28}}},
	{acceptance: []int{156}, name: "a stream", config: bedrock("/model/m/converse-stream"), send: request{body: streamBody}, answer: bedrockStream,
		want: want{header: asStream, body: []string{`"content":"You "`, `"content":"cannot."`, `"finish_reason":"stop"`, "}\n\ndata: [DONE]\n\n"}, log: obj{"ai.proxy.usage.prompt_tokens": 19, "ai.proxy.usage.completion_tokens": 9}}},
	{acceptance: []int{157}, name: "tools", config: bedrock("/model/m/converse", "model.name", "anthropic.claude-3-haiku-20240307-v1:0"), send: asks(`"auto"`), answer: bedrockSpoke,
		want: want{up: obj{"toolConfig": document(`{"tools":[{"toolSpec":{"name":"weather","description":"Of a city","inputSchema":{"json":` + weatherSchema + `}}}],"toolChoice":{"auto":{}}}`)}}},
	{acceptance: []int{158}, name: "guardrails", config: bedrock("/model/m/converse"), answer: bedrockSpoke, send: say(`"guardrailConfig":{"guardrailIdentifier":"gr-1","guardrailVersion":"1","trace":"enabled"},`),
		want: want{up: obj{"guardrailConfig": document(`{"guardrailIdentifier":"gr-1","guardrailVersion":"1","trace":"enabled"}`)}}},
	{acceptance: []int{159, 162}, name: "a tool called", config: bedrock("/model/m/converse"), answer: bedrockSays(`{"toolUse":{"toolUseId":"tooluse_1","name":"weather","input":{"city":"Paris"}}}`, "tool_use"),
		want: want{json: obj{"choices.0.finish_reason": "tool_calls", "choices.0.message.tool_calls": document(`[{"id":"tooluse_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Paris\"}"}}]`)}}},
	{acceptance: []int{160}, name: "a model without system prompts", config: bedrock("/model/m/converse", "model.name", "amazon.titan-text-express-v1"),
		want: want{status: 400, refused: true, json: obj{"error.message": contains("system prompts are unsupported for model 'amazon.titan-text-express-v1")}, body: []string{"error transforming to bedrock://llm/v1/chat: "}}},
	{acceptance: []int{161}, name: "an answer that is none", config: bedrock("/model/m/converse"), answer: answer{body: `{"stopReason":"end_turn"}`},
		want: want{status: 500, json: obj{"error.message": "transformation failed from type bedrock://llm/v1/chat: no generation candidates received from Bedrock, or max_tokens too short"}}},
	{acceptance: []int{162}, name: "an end", config: bedrock("/model/m/converse"), answer: bedrockSpoke, want: want{json: obj{"choices.0.finish_reason": "stop"}}},
	{acceptance: []int{162}, name: "an end too soon", config: bedrock("/model/m/converse"), answer: bedrockSays(bedrockText, "max_tokens"), want: want{json: obj{"choices.0.finish_reason": "length"}}},
	{acceptance: []int{162}, name: "an end by a guardrail", config: bedrock("/model/m/converse"), answer: bedrockSays(bedrockText, "guardrail_intervened"), want: want{json: obj{"choices.0.finish_reason": "guardrail_intervened"}}},
	{acceptance: []int{163}, name: "parts", config: bedrock("/model/m/converse"), answer: bedrockSpoke,
		send: talk(`{"role":"system","content":[{"type":"text","text":"Be kind."},{"type":"text","text":" And brief."}]},{"role":"user","content":"Weather?"},` +
			`{"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_1","content":[{"type":"text","text":"sunny"}]}`),
		want: want{up: obj{"system.0.text": contains("Be kind."), "messages.2.role": "user", "messages.2.content.0.toolResult.toolUseId": "call_1", "messages.2.content.0.toolResult.content": document(`[{"text":"sunny"}]`)}}},
	{acceptance: []int{163}, name: "results of tools", config: bedrock("/model/m/converse"), answer: bedrockSpoke,
		send: talk(`{"role":"user","content":"Weather?"},{"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_1","content":"[1,2]"}`),
		want: want{up: obj{"messages.2.content.0.toolResult.content.0.json.result": document(`[1,2]`)}}},
	{acceptance: []int{164}, name: "a developer", config: bedrock("/model/m/converse"), answer: bedrockSpoke, send: talk(`{"role":"developer","content":"Be kind."},{"role":"user","content":"hi"}`),
		want: want{up: obj{"system": document(`[{"text":"Be kind."}]`), "messages": document(`[{"role":"user","content":[{"text":"hi"}]}]`)}}},
	{acceptance: []int{165}, name: "latency", config: bedrock("/model/m/converse", "model.options.bedrock.performance_config_latency", "optimized"), answer: bedrockSpoke,
		want: want{up: obj{"performanceConfig": document(`{"latency":"optimized"}`)}}},
	{acceptance: []int{166}, name: "an inference profile", config: bedrock("/model/x/converse", "model.name", "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.meta.llama3"), answer: answer{handler: func(w http.ResponseWriter, r *http.Request) {
		if !signed(r.Header.Get("Authorization")) {
			w.WriteHeader(http.StatusForbidden)
		}
		bedrockSpoke.write(w)
	}}, want: want{json: obj{"choices.0.message.content": "You cannot."}}},
}

func TestBedrock(t *testing.T) { run(t, bedrockRows) }

func gemini(more ...any) obj {
	return with(provider("gemini", "/v1beta/models/gemini-1.5-flash:generateContent", "model.name", "gemini-1.5-flash", "auth", obj{"header_name": "x-goog-api-key", "header_value": "k", "allow_override": false}), more...)
}

// geminiSays is an answer of Gemini's with these parts.
func geminiSays(parts, usage string) answer {
	return answer{body: `{"candidates":[{"content":{"role":"model","parts":[` + parts + `]},"finishReason":"STOP","avgLogprobs":-0.013}],"usageMetadata":` + usage + `,"modelVersion":"gemini-1.5-flash-002"}`}
}

const (
	geminiOK    = `{"text":"Everything is okay."}`
	geminiUsage = `{"promptTokenCount":2,"candidatesTokenCount":11,"totalTokenCount":13}`
)

var geminiSpoke = geminiSays(geminiOK, geminiUsage)

// looks is a user's turn of these parts.
func looks(parts string) request { return talk(`{"role":"user","content":[` + parts + `]}`) }

// cannot is the refusal of a request that has no place in Gemini's format.
func cannot(text string) want {
	return want{status: 400, refused: true, json: obj{"error.message": contains(text)}}
}

var geminiRows = []row{
	{acceptance: []int{176}, name: "a dialogue", config: gemini("model.options.max_tokens", 8192, "model.options.temperature", 0.8, "model.options.top_p", 0.6, "model.options.top_k", 1), send: request{body: kongChat}, answer: geminiSpoke,
		want: want{up: obj{whole: document(`{"systemInstruction":{"parts":[{"text":"You are a mathematician."}]},"contents":[{"role":"user","parts":[{"text":"What is 1 + 2?"}]},{"role":"model","parts":[{"text":"It is 3."}]},` +
			`{"role":"user","parts":[{"text":"Multiply that by 2"}]},{"role":"model","parts":[{"text":"That makes 6."}]},{"role":"user","parts":[{"text":"Why can't you divide by zero?"}]}],` +
			`"generationConfig":{"maxOutputTokens":8192,"temperature":0.8,"topP":0.6,"topK":1}}`)}}},
	{acceptance: []int{177}, name: "an answer", config: gemini("model.options.input_cost", 15, "model.options.output_cost", 15, "logging.log_payloads", true), answer: geminiSpoke,
		want: want{upHeader: map[string]string{"x-goog-api-key": "k"}, json: obj{"choices.0.message": document(`{"role":"assistant","content":"Everything is okay."}`), "choices.0.finish_reason": "stop", "object": "chat.completion", "model": "gemini-1.5-flash"},
			log: obj{"ai.proxy.usage.prompt_tokens": 2, "ai.proxy.usage.completion_tokens": 11, "ai.proxy.usage.total_tokens": 13, "ai.proxy.usage.cost": about(0.000195), "ai.proxy.payload.request": contains(`"contents"`),
				"ai.proxy.meta.response_model": contains("gemini-1.5-flash"), "ai.proxy.meta.request_model": "gemini-1.5-flash", "ai.proxy.meta.provider_name": "gemini"}}},
	{acceptance: []int{178}, name: "a key in the query", config: gemini("auth", obj{"param_name": "key", "param_value": "k1", "param_location": "query"}), answer: geminiSpoke,
		want: want{upPath: "/v1beta/models/gemini-1.5-flash:generateContent", upQuery: map[string]string{"key": "k1"}}},
	{acceptance: []int{180}, name: "an image by address", config: gemini(), answer: geminiSpoke, send: looks(`{"type":"text","text":"What?"},{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}`),
		want: want{up: obj{"contents.0.parts": document(`[{"text":"What?"},{"fileData":{"fileUri":"https://example.com/a.png","mimeType":"image/generic"}}]`)}}},
	{acceptance: []int{181}, name: "an image", config: gemini(), answer: geminiSpoke, send: looks(`{"type":"text","text":"What?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0="}}`),
		want: want{up: obj{"contents.0.parts": document(`[{"text":"What?"},{"inlineData":{"data":"iVBORw0=","mimeType":"image/png"}}]`)}}},
	{acceptance: []int{182}, name: "a text without text", config: gemini(), send: looks(`{"type":"text"}`), want: cannot("message part type is 'text' but is missing .text block")},
	{acceptance: []int{183}, name: "an image without address", config: gemini(), send: looks(`{"type":"image_url"}`), want: cannot("message part type is 'image_url' but is missing .image_url.url block")},
	{acceptance: []int{183}, name: "an image without address in it", config: gemini(), send: looks(`{"type":"image_url","image_url":{}}`), want: cannot("message part type is 'image_url' but is missing .image_url.url block")},
	{acceptance: []int{184}, name: "a part of no type", config: gemini(), send: looks(`{"type":"doesnt_exist","doesnt_exist":{}}`), want: cannot("cannot transform part of type 'doesnt_exist' to Gemini format")},
	{acceptance: []int{184}, name: "no parts", config: gemini(), send: looks(``), want: cannot("message at position 1 does not match expected array format")},
	{acceptance: []int{185}, name: "two tools", config: gemini(), answer: geminiSpoke, send: say(`"tools":[` + weatherTool + `,` + strings.Replace(weatherTool, "weather", "forecast", 1) + `],`),
		want: want{up: obj{"tools.0.functionDeclarations.0.name": "weather", "tools.0.functionDeclarations.1.name": "forecast", "tools.0.functionDeclarations.2": gone, "tools.1": gone}}},
	{acceptance: []int{185}, name: "an empty list of tools", config: gemini(), answer: geminiSpoke, send: say(`"tools":[],`), want: want{up: obj{"tools": gone}}},
	{acceptance: []int{185}, name: "tools are null", config: gemini(), answer: geminiSpoke, send: say(`"tools":null,`), want: want{up: obj{"tools": gone}}},
	{acceptance: []int{186}, name: "a tool called", config: gemini(), send: asks(`"required"`), answer: geminiSays(`{"functionCall":{"name":"weather","args":{"city":"Paris"}}}`, geminiUsage),
		want: want{up: obj{"toolConfig.functionCallingConfig.mode": "ANY"}, json: obj{"choices.0.finish_reason": "tool_calls", "choices.0.message.tool_calls.0.type": "function", "choices.0.message.tool_calls.0.function": document(`{"name":"weather","arguments":"{\"city\":\"Paris\"}"}`)}}},
	{acceptance: []int{187}, name: "a model without system prompts", config: gemini("model.name", "gemini-1.0-pro"), want: cannot("system prompts aren't supported on gemini-1.0 models")},
	{acceptance: []int{188}, name: "unsafe", config: gemini(), answer: answer{body: `{"candidates":[{"finishReason":"SAFETY","index":0,"safetyRatings":[{"category":"HARM_CATEGORY_DANGEROUS_CONTENT","probability":"MEDIUM"}]}],"usageMetadata":{"promptTokenCount":319,"totalTokenCount":319}}`},
		want: want{json: obj{"choices.0.finish_reason": "content_filter", "choices.0.message.content": "", "choices.0.message.role": "assistant"}}},
	{acceptance: []int{189}, name: "a tool of Google's", config: gemini(), answer: geminiSpoke, send: say(`"tools":[{"googleSearch":{}}],`), want: want{up: obj{"tools": document(`[{"googleSearch":{}}]`)}}},
	{acceptance: []int{190}, name: "thinking, in extra_body", config: gemini("model.options.max_tokens", 7), answer: geminiSpoke, send: say(`"extra_body":{"generationConfig":{"thinkingConfig":{"includeThoughts":true}}},`),
		want: want{up: obj{"generationConfig": document(`{"maxOutputTokens":7,"thinkingConfig":{"includeThoughts":true}}`), "extra_body": gone}}},
	{acceptance: []int{190}, name: "thinking, beside it", config: gemini("model.options.max_tokens", 7), answer: geminiSpoke, send: say(`"generationConfig":{"thinkingConfig":{"includeThoughts":true}},`),
		want: want{up: obj{"generationConfig": document(`{"maxOutputTokens":7,"thinkingConfig":{"includeThoughts":true}}`)}}},
	{acceptance: []int{192}, name: "Google's own members", config: gemini(), answer: geminiSpoke, send: say(`"cachedContent":"cachedContents/1","safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}],"labels":{"a":"b"},`),
		want: want{up: obj{"cachedContent": "cachedContents/1", "safetySettings.0.threshold": "BLOCK_NONE", "labels": gone}}},
	{acceptance: []int{192}, name: "Vertex's own members", answer: geminiSpoke, send: say(`"cachedContent":"cachedContents/1","safetySettings":[],"labels":{"a":"b"},`),
		config: gemini("model.options.upstream_url", "$UP/v1/projects/p/locations/l/publishers/google/models/m:generateContent", "model.options.gemini", obj{"api_endpoint": "us-central1-aiplatform.googleapis.com", "project_id": "p", "location_id": "l"}),
		want:   want{up: obj{"cachedContent": "cachedContents/1", "labels": document(`{"a":"b"}`)}}},
	{acceptance: []int{193}, name: "thoughts", config: gemini(), answer: geminiSays(geminiOK, `{"promptTokenCount":2,"candidatesTokenCount":5,"thoughtsTokenCount":7,"totalTokenCount":14}`),
		want: want{json: obj{"usage.prompt_tokens": 2, "usage.completion_tokens": 12, "usage.total_tokens": 14, "usage.completion_tokens_details.reasoning_tokens": 7}, log: obj{"ai.proxy.usage.completion_tokens": 12, "ai.proxy.usage.completion_tokens_details.reasoning_tokens": 7}}},
	{acceptance: []int{194}, name: "results of tools", config: gemini(), answer: geminiSpoke, send: talk(weatherHistory + `,{"role":"assistant","content":"It is sunny."},{"role":"user","content":"And tomorrow?"},` +
		`{"role":"assistant","tool_calls":[{"id":"call_2","type":"function","function":{"name":"forecast","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_2","content":"{\"rain\":true}"}`),
		want: want{up: obj{"contents.1.parts.1.functionCall.name": "weather", "contents.1.parts.1.functionCall.args": document(`{"city":"Paris"}`), "contents.2.parts.0.functionResponse.name": "weather",
			"contents.6.parts.0.functionResponse.name": "forecast", "contents.6.parts.0.functionResponse.response": document(`{"rain":true}`)}}},
	{acceptance: []int{194}, name: "no candidates", config: gemini(), answer: answer{body: `{"usageMetadata":{"promptTokenCount":2}}`},
		want: want{status: 500, json: obj{"error.message": "transformation failed from type gemini://llm/v1/chat: no generation candidates received from Gemini, or max_tokens too short"}}},
}

func TestGemini(t *testing.T) { run(t, geminiRows) }

var azureRows = []row{
	{acceptance: []int{211}, name: "a prompt", config: azure("route_type", "llm/v1/completions", "model.options.upstream_url", "$UP/openai/deployments/dep/completions"), send: request{body: kongPrompt}, answer: answer{body: textAnswer},
		want: want{upPath: "/openai/deployments/dep/completions", json: obj{"choices.0.text": contains("I am a language model AI")}}},
	{acceptance: []int{211}, name: "no prompt", config: azure("route_type", "llm/v1/completions"), send: request{body: `{"tpmorp":"x"}`}, want: message(400, "request body doesn't contain valid prompts")},
	{acceptance: []int{212}, name: "the path that the route captured", path: "/deployments/dep(?<operation_path>[^#?]+)$", answer: answer{body: `{"hello":1}`}, send: request{path: "/deployments/dep/other/operation", body: `{"anything":1}`},
		config: azure("route_type", "preserve", "model.options.upstream_url", "$UP", "model.options.upstream_path", "$(uri_captures.operation_path)"),
		want:   want{upPath: "/openai/deployments/dep/other/operation", upBody: `{"anything":1}`, exactly: `{"hello":1}`}},
	{acceptance: []int{213}, name: "the path of the client", config: azure("route_type", "preserve", "model.options.upstream_url", "$UP"), answer: answer{body: `{"hello":1}`}, send: request{path: "/override/path/completely", body: `{"anything":1}`},
		want: want{exactly: `{"hello":1}`}},
	{acceptance: []int{214}, name: "a path that is not there", config: azure("route_type", "preserve", "model.options.upstream_url", "$UP"), answer: answer{status: 404, body: `{"error":"no"}`}, send: request{path: "/override/path/incorrectly", body: `{"anything":1}`},
		want: want{status: 404, exactly: `{"error":"no"}`}},
	{acceptance: []int{218}, name: "responses", config: azure("route_type", "llm/v1/responses", "model.options.azure_api_version", "preview", "model.options.upstream_url", "$UP/openai/v1/responses"), send: request{body: `{"input":"hi"}`},
		answer: answer{body: `{"id":"r","object":"response","output":[],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}`}, want: want{upPath: "/openai/v1/responses", upQuery: map[string]string{"api-version": "preview"}, json: obj{"id": "r"}}},
}

func TestAzure(t *testing.T) { run(t, azureRows) }
