package test

import (
	"encoding/json"
	"strings"
	"testing"
)

// document is wanted JSON: compared as a whole, not as bytes.
type document string

func (d document) value() any {
	var v any
	if err := json.Unmarshal([]byte(d), &v); err != nil {
		panic(err)
	}
	return v
}

// whole is the path of a JSON document itself.
const whole = ""

// kongChat is the dialogue of Kong's request fixtures, in our words.
const (
	kongChat = `{"messages":[{"role":"system","content":"You are a mathematician."},{"role":"user","content":"What is 1 + 2?"},{"role":"assistant","content":"It is 3."},` +
		`{"role":"user","content":"Multiply that by 2"},{"role":"assistant","content":"That makes 6."},{"role":"user","content":"Why can't you divide by zero?"}]}`
	kongPrompt = `{"prompt":"Explain why you can't divide by zero?"}`
	// kongTurns are the turns after the system's.
	kongTurns = `{"role":"user","content":"What is 1 + 2?"},{"role":"assistant","content":"It is 3."},{"role":"user","content":"Multiply that by 2"},` +
		`{"role":"assistant","content":"That makes 6."},{"role":"user","content":"Why can't you divide by zero?"}`
	weatherTool    = `{"type":"function","function":{"name":"weather","description":"Of a city","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}`
	weatherHistory = `{"role":"user","content":"Weather in Paris?"},` +
		`{"role":"assistant","content":"I look.","tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Paris\"}"}}]},` +
		`{"role":"tool","tool_call_id":"call_1","content":"sunny"}`
	weatherSchema = `{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`
)

// say is a chat of one user's turn, with more members.
func say(more string) request {
	return request{body: strings.Replace(`{"messages":[{"role":"user","content":"hi"}]}`, "{", "{"+more, 1)}
}

// talk is a chat of these messages.
func talk(messages string) request { return request{body: `{"messages":[` + messages + `]}`} }

// asks is a chat with weatherTool and a tool_choice.
func asks(choice string) request {
	return say(`"tools":[` + weatherTool + `],"tool_choice":` + choice + `,`)
}

// gone is that nothing stands there.
var gone = absent{}

func anthropic(more ...any) obj {
	return with(provider("anthropic", "/v1/messages", "model.name", "claude-2.1", "auth", obj{"header_name": "x-api-key", "header_value": "k"}, "model.options.anthropic_version", "2023-06-01"), more...)
}

// claudeSays is an answer of Anthropic's with this content, stop reason and usage.
func claudeSays(content, stop, usage string) answer {
	return answer{body: `{"id":"msg_1","type":"message","role":"assistant","model":"claude-2.1","content":[` + content + `],"stop_reason":"` + stop + `","stop_sequence":null,"usage":` + usage + `}`}
}

const (
	claudeText  = `{"type":"text","text":"The sum of 1 + 1 is 2."}`
	claudeTool  = `{"type":"tool_use","id":"toolu_1","name":"weather","input":{"city":"Paris"}}`
	claudeUsage = `{"input_tokens":3,"output_tokens":4}`
)

var claudeSpoke = claudeSays(claudeText, "end_turn", claudeUsage)

var anthropicRows = []row{
	{acceptance: []int{129}, name: "a dialogue", config: anthropic("model.options.max_tokens", 512, "model.options.temperature", 0.5), send: request{body: kongChat}, answer: claudeSpoke,
		want: want{up: obj{whole: document(`{"model":"claude-2.1","messages":[` + kongTurns + `],"system":"You are a mathematician.","max_tokens":512,"temperature":0.5,"stream":false}`)}}},
	{acceptance: []int{130}, name: "a prompt", config: anthropic("route_type", "llm/v1/completions", "logging", gone, "model.options.upstream_url", "$UP/v1/complete", "model.options.max_tokens", 512, "model.options.temperature", 0.5),
		send: request{body: kongPrompt}, answer: answer{body: `{"completion":"x","stop_reason":"stop_sequence","model":"claude-2.1"}`},
		want: want{upPath: "/v1/complete", up: obj{whole: document(`{"model":"claude-2.1","prompt":"Human: Explain why you can't divide by zero?\n\nAssistant:","max_tokens_to_sample":512,"temperature":0.5,"stream":false}`)}}},
	{acceptance: []int{131}, name: "an answer", config: anthropic(), answer: claudeSpoke,
		want: want{upPath: "/v1/messages", upHeader: map[string]string{"anthropic-version": "2023-06-01", "x-api-key": "k"}, header: map[string]string{"X-Kong-LLM-Model": "anthropic/claude-2.1"},
			json: obj{"choices.0.message": document(`{"role":"assistant","content":"The sum of 1 + 1 is 2."}`), "model": "claude-2.1", "object": "chat.completion"}}},
	{acceptance: []int{132}, name: "an answer that is none", config: anthropic(), answer: answer{body: `{"nothing_object":{"not_interesting_tag_names":"bad string"}}`},
		want: want{status: 500, json: obj{"error.message": "transformation failed from type anthropic://llm/v1/chat: 'content' not in anthropic://llm/v1/chat response"}}},
	{acceptance: []int{133}, name: "an answer without usage", config: anthropic(), answer: answer{body: `{"content":[` + claudeText + `],"model":"claude-2.1","stop_reason":"end_turn","stop_sequence":"string"}`},
		want: want{json: obj{"usage": "no usage data returned from upstream", "choices.0.message.content": "The sum of 1 + 1 is 2."}}},
	{acceptance: []int{134}, name: "an answer with another's usage", config: anthropic(), answer: claudeSays(claudeText, "end_turn", `{"foo":0,"bar":0}`),
		want: want{json: obj{"usage": document(`{}`), "choices.0.message.content": "The sum of 1 + 1 is 2."}}},
	{acceptance: []int{135}, name: "any tool", config: anthropic(), send: asks(`"auto"`), answer: claudeSpoke,
		want: want{up: obj{"tool_choice": document(`{"type":"auto"}`), "tools": document(`[{"name":"weather","description":"Of a city","input_schema":` + weatherSchema + `}]`)}}},
	{acceptance: []int{135}, name: "no tool", config: anthropic(), send: asks(`"none"`), answer: claudeSpoke, want: want{up: obj{"tool_choice": document(`{"type":"none"}`)}}},
	{acceptance: []int{135}, name: "no tool, and none there", config: anthropic(), send: say(`"tool_choice":"none",`), answer: claudeSpoke, want: want{up: obj{"tool_choice": document(`{"type":"none"}`)}}},
	{acceptance: []int{135}, name: "some tool", config: anthropic(), send: asks(`"required"`), answer: claudeSpoke, want: want{up: obj{"tool_choice": document(`{"type":"any"}`)}}},
	{acceptance: []int{135}, name: "this tool", config: anthropic(), answer: claudeSpoke,
		send: say(`"tools":[{"type":"function","function":{"name":"my_function","parameters":{}}}],"tool_choice":{"type":"function","function":{"name":"my_function"}},`),
		want: want{up: obj{"tool_choice": document(`{"type":"tool","name":"my_function"}`)}}},
	{acceptance: []int{136}, name: "a completion", config: anthropic("route_type", "llm/v1/completions", "logging", gone, "model.options.upstream_url", "$UP/v1/complete"), send: request{body: `{"prompt":"What are you?"}`},
		answer: answer{body: `{"completion":" Hello! My name is Claude.","stop_reason":"stop_sequence","model":"claude-2.1"}`},
		want:   want{json: obj{"choices.0.text": " Hello! My name is Claude.", "model": "claude-2.1", "object": "text_completion"}}},
	{acceptance: []int{136}, name: "a completion without prompt", config: anthropic("route_type", "llm/v1/completions", "logging", gone, "model.options.upstream_url", "$UP/v1/complete"), send: request{body: `{"tpmorp":"bad prompt?"}`},
		want: message(400, "request body doesn't contain valid prompts")},
	{acceptance: []int{137}, name: "a chat without messages", config: anthropic(), send: request{body: `{"segassem":[{"role":"user","content":"What is 1 + 1?"}]}`}, want: message(400, "request body doesn't contain valid prompts")},
	{acceptance: []int{137}, name: "400", config: anthropic(), answer: answer{status: 400, body: `{"error":{"type":"invalid_request_error","message":"Invalid request"}}`},
		want: want{status: 400, json: obj{"error.message": "Invalid request", "error.type": "invalid_request_error"}}},
	{acceptance: []int{137}, name: "401", config: anthropic(), answer: answer{status: 401, body: `{"error":{"type":"authentication_error","message":"Invalid API Key"}}`},
		want: want{status: 401, json: obj{"error.message": "Invalid API Key", "error.type": "authentication_error"}}},
	{acceptance: []int{137}, name: "500", config: anthropic(), answer: answer{status: 500, header: map[string]string{"Content-Type": "text/html"}, body: "<html>down</html>"},
		want: want{status: 500, exactly: "<html>down</html>", header: map[string]string{"Content-Type": "text/html"}}},
	{acceptance: []int{138}, name: "a tool's result", config: anthropic(), send: talk(weatherHistory), answer: claudeSpoke,
		want: want{up: obj{"messages": document(`[{"role":"user","content":"Weather in Paris?"},{"role":"assistant","content":[{"type":"text","text":"I look."},{"type":"tool_use","id":"call_1","name":"weather","input":{"city":"Paris"}}]},` +
			`{"role":"user","content":[{"type":"tool_result","tool_use_id":"call_1","content":"sunny"}]}]`)}}},
	{acceptance: []int{138, 139}, name: "a tool called", config: anthropic(), send: asks(`"auto"`), answer: claudeSays(claudeTool, "tool_use", claudeUsage),
		want: want{json: obj{"choices.0.finish_reason": "tool_calls", "choices.0.message.tool_calls": document(`[{"id":"toolu_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Paris\"}"}}]`)}}},
	{acceptance: []int{139}, name: "an end", config: anthropic(), answer: claudeSpoke, want: want{json: obj{"choices.0.finish_reason": "stop"}}},
	{acceptance: []int{139}, name: "an end too soon", config: anthropic(), answer: claudeSays(claudeText, "max_tokens", claudeUsage), want: want{json: obj{"choices.0.finish_reason": "length"}}},
	{acceptance: []int{140}, name: "two system messages", config: anthropic(), answer: claudeSpoke, send: talk(`{"role":"system","content":"Be kind."},{"role":"user","content":"hi"},{"role":"system","content":"Be brief."}`),
		want: want{up: obj{"system": "Be kind.\n\nBe brief.", "messages": document(`[{"role":"user","content":"hi"}]`)}}},
	{acceptance: []int{141}, name: "sampling", config: anthropic("model.options.top_p", 0.5, "model.options.top_k", 5), send: say(`"stop":["x"],`), answer: claudeSpoke,
		want: want{up: obj{"top_p": 0.5, "top_k": 5, "stop_sequences": list{"x"}, "stop": gone}}},
	{acceptance: []int{141}, name: "sampling by the client", config: anthropic(), send: say(`"stop":"x","top_p":0.5,"top_k":5,`), answer: claudeSpoke,
		want: want{up: obj{"top_p": 0.5, "top_k": 5, "stop_sequences": list{"x"}, "stop": gone}}},
	{acceptance: []int{142}, name: "a model that refuses sampling", config: anthropic("model.name", "claude-opus-4-7", "model.options.temperature", 0.5, "model.options.top_p", 0.5, "model.options.top_k", 5), answer: claudeSpoke,
		want: want{up: obj{"model": "claude-opus-4-7", "temperature": gone, "top_p": gone, "top_k": gone}}},
	{acceptance: []int{142}, name: "a model that refuses the client's sampling", config: anthropic("model.name", "claude-opus-4-7"), send: say(`"temperature":0.5,`), answer: claudeSpoke, want: want{up: obj{"temperature": gone}}},
	{acceptance: []int{143}, name: "cached tokens", config: anthropic(), answer: claudeSays(claudeText, "end_turn", `{"input_tokens":3,"cache_read_input_tokens":10,"cache_creation_input_tokens":5,"output_tokens":4}`),
		want: want{json: obj{"usage.prompt_tokens": 18, "usage.completion_tokens": 4, "usage.total_tokens": 22, "usage.prompt_tokens_details.cached_tokens": 10},
			log: obj{"ai.proxy.usage.prompt_tokens": 18, "ai.proxy.usage.total_tokens": 22}}},
	{acceptance: []int{144}, name: "a tool called in a stream", config: anthropic(), send: request{body: streamBody}, answer: claudeStream(
		`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"I look."}}`, `{"type":"content_block_stop","index":0}`,
		`{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"weather","input":{}}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"city\":"}}`, `{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"\"Paris\"}"}}`,
		`{"type":"content_block_stop","index":1}`, `{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":9}}`, `{"type":"message_stop"}`),
		want: want{up: obj{"stream": true}, body: []string{`"tool_calls":[{"index":0,"id":"toolu_1","type":"function","function":{"name":"weather","arguments":""}}]`,
			`"tool_calls":[{"index":0,"function":{"arguments":"{\"city\":"}}]`, `"tool_calls":[{"index":0,"function":{"arguments":"\"Paris\"}"}}]`, `"finish_reason":"tool_calls"`, "data: [DONE]\n\n"}}},
}

// claudeStream are Anthropic's events after the first.
func claudeStream(events ...string) answer {
	var b strings.Builder
	first := `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-2.1","content":[],"stop_reason":null,"usage":{"input_tokens":9,"output_tokens":1}}}`
	for _, e := range append([]string{first}, events...) {
		kind, _, _ := strings.Cut(strings.TrimPrefix(e, `{"type":"`), `"`)
		b.WriteString("event: " + kind + "\ndata: " + e + "\n\n")
	}
	return answer{header: asStream, body: b.String()}
}

func TestAnthropic(t *testing.T) { run(t, anthropicRows) }

func cohere(path string, more ...any) obj {
	return with(provider("cohere", path, "model.name", "command", "auth.header_value", "Bearer cohere-key"), more...)
}

const (
	cohereV1 = `{"text":"The sum of 1 + 1 is 2.","generation_id":"gen-1","token_count":{"billed_tokens":339,"prompt_tokens":102,"response_tokens":258,"total_tokens":360},` +
		`"meta":{"api_version":{"version":"1"},"billed_units":{"input_tokens":81,"output_tokens":258}}}`
	cohereGenerated = `{"id":"string","prompt":"string","generations":[{"id":"123","text":"1 + 1 is 2.","index":0,"likelihood":0}],"meta":{"api_version":{"version":"1"},"billed_units":{"input_tokens":0,"output_tokens":0}}}`
	cohereV2Text    = `{"id":"c-1","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"The sum is 2."}]},"usage":{"billed_units":{"input_tokens":5,"output_tokens":4},"tokens":{"input_tokens":71,"output_tokens":4}}}`
)

var cohereRows = []row{
	{acceptance: []int{199}, name: "an answer", config: cohere("/v1/chat", "model.options.input_cost", 10, "model.options.output_cost", 10), answer: answer{body: cohereV1},
		want: want{json: obj{"choices.0.message": document(`{"role":"assistant","content":"The sum of 1 + 1 is 2."}`), "choices.0.finish_reason": "stop", "id": "gen-1", "model": "command",
			"usage.prompt_tokens": 81, "usage.completion_tokens": 258, "usage.total_tokens": 339},
			log: obj{"ai.proxy.usage.prompt_tokens": 81, "ai.proxy.usage.completion_tokens": 258, "ai.proxy.usage.total_tokens": 339, "ai.proxy.usage.cost": about(0.00339), "ai.proxy.meta.provider_name": "cohere"}}},
	{acceptance: []int{200}, name: "a dialogue", config: cohere("/v1/chat", "model.options.max_tokens", 512, "model.options.temperature", 0.5, "model.options.top_p", 1), send: request{body: kongChat}, answer: answer{body: cohereV1},
		want: want{up: obj{whole: document(`{"chat_history":[{"role":"USER","message":"You are a mathematician."},{"role":"USER","message":"What is 1 + 2?"},{"role":"CHATBOT","message":"It is 3."},` +
			`{"role":"USER","message":"Multiply that by 2"},{"role":"CHATBOT","message":"That makes 6."}],"message":"Why can't you divide by zero?","model":"command","max_tokens":512,"temperature":0.5,"p":1,"stream":false}`)}}},
	{acceptance: []int{201}, name: "a prompt", config: cohere("/v1/generate", "route_type", "llm/v1/completions", "model.options.max_tokens", 512, "model.options.temperature", 0.5, "model.options.top_p", 0.75, "model.options.top_k", 5),
		send: request{body: kongPrompt}, answer: answer{body: cohereGenerated},
		want: want{up: obj{whole: document(`{"prompt":"Explain why you can't divide by zero?","model":"command","max_tokens":512,"temperature":0.5,"p":0.75,"k":5,"stream":false}`)}}},
	{acceptance: []int{202}, name: "an answer that is none", config: cohere("/v1/chat"), answer: answer{body: `{"nothing_object":{"not_interesting_tag_names":"bad string"}}`},
		want: want{status: 500, json: obj{"error.message": "transformation failed from type cohere://llm/v1/chat: 'text' or 'generations' missing from cohere response body"}}},
	{acceptance: []int{203}, name: "generations", config: cohere("/v1/generate", "route_type", "llm/v1/completions"), send: request{body: `{"prompt":"What are you?"}`}, answer: answer{body: cohereGenerated},
		want: want{json: obj{"choices.0.text": "1 + 1 is 2.", "choices.0.finish_reason": "stop", "object": "text_completion", "id": "string"}}},
	{acceptance: []int{203}, name: "a text as completion", config: cohere("/v1/generate", "route_type", "llm/v1/completions"), send: request{body: `{"prompt":"What are you?"}`}, answer: answer{body: cohereV1},
		want: want{json: obj{"choices.0.text": "The sum of 1 + 1 is 2.", "choices.0.finish_reason": "stop", "object": "text_completion"}}},
	{acceptance: []int{203}, name: "a completion refused", config: cohere("/v1/generate", "route_type", "llm/v1/completions"), send: request{body: `{"prompt":"What are you?"}`}, answer: answer{status: 401, body: `{"message":"invalid api token"}`},
		want: want{status: 401, body: []string{"invalid api token"}}},
	{acceptance: []int{204}, name: "the second version", config: cohere("/v2/chat", "model.options.top_p", 0.5, "model.options.top_k", 7), send: request{body: kongChat}, answer: answer{body: cohereV2Text},
		want: want{up: obj{"messages": document(`[{"role":"system","content":"You are a mathematician."},` + kongTurns + `]`), "p": 0.5, "k": 7, "stream": false, "model": "command", "top_p": gone, "top_k": gone},
			json: obj{"choices.0.message.content": "The sum is 2.", "choices.0.finish_reason": "stop", "id": "c-1", "usage.prompt_tokens": 5, "usage.completion_tokens": 4}}},
	{acceptance: []int{205}, name: "tools called", config: cohere("/v2/chat"), send: asks(`"required"`),
		answer: answer{body: `{"id":"c-1","finish_reason":"TOOL_CALL","message":{"role":"assistant","tool_plan":"I will look.","tool_calls":[{"id":"weather_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Paris\"}"}}]},"usage":{"billed_units":{"input_tokens":5,"output_tokens":4}}}`},
		want: want{up: obj{"tool_choice": "REQUIRED", "tools": document(`[` + weatherTool + `]`)},
			json: obj{"choices.0.finish_reason": "tool_calls", "choices.0.message.content": "I will look.", "choices.0.message.tool_calls": document(`[{"id":"weather_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Paris\"}"}}]`)}}},
	{acceptance: []int{206}, name: "a stream of the second version", config: cohere("/v2/chat"), send: request{body: strings.Replace(streamBody, "{", `{"stream_options":{"include_usage":true},`, 1)},
		answer: cohereStream(`{"id":"c-1","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}`,
			`{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}`, `{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"The sum "}}}}`,
			`{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"is 2."}}}}`, `{"type":"content-end","index":0}`,
			`{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":5,"output_tokens":4},"tokens":{"input_tokens":71,"output_tokens":4}}}}`),
		want: want{header: asStream, body: []string{`"id":"c-1"`, `"role":"assistant"`, `"content":"The sum "`, `"content":"is 2."`, `"finish_reason":"stop"`, `"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":4,"total_tokens":9`, "}\n\ndata: [DONE]\n\n"},
			log: obj{"ai.proxy.usage.prompt_tokens": 5, "ai.proxy.usage.completion_tokens": 4}}},
}

// cohereStream are events of Cohere's second version.
func cohereStream(events ...string) answer {
	var b strings.Builder
	for _, e := range events {
		var v struct{ Type string }
		if err := json.Unmarshal([]byte(e), &v); err != nil {
			panic(err)
		}
		b.WriteString("event: " + v.Type + "\ndata: " + e + "\n\n")
	}
	return answer{header: asStream, body: b.String()}
}

func TestCohere(t *testing.T) { run(t, cohereRows) }
