package test

import (
	"strings"
	"testing"
)

func mistral(more ...any) obj {
	return with(provider("mistral", "/v1/chat/completions", "model.name", "mistral-tiny", "model.options.mistral_format", "openai"), more...)
}

func huggingface(path string, more ...any) obj {
	return with(provider("huggingface", path, "model.name", "mistralai/Mistral-7B-Instruct-v0.2"), more...)
}

func llama2(format, path string, more ...any) obj {
	return with(provider("llama2", path, "model.name", "llama2", "model.options.llama2_format", format), more...)
}

func ollama(path string, more ...any) obj {
	return with(provider("ollama", path, "model.name", "llama3"), more...)
}

const (
	mistralAnswer = `{"choices":[{"finish_reason":"stop","index":0,"message":{"content":"The sum of 1 + 1 is 2.","role":"assistant"}}],"created":1701947430,"id":"chatcmpl-1","model":"mistralai/Mistral-7B-Instruct-v0.1-instruct","object":"chat.completion",` +
		`"system_fingerprint":null,"usage":{"completion_tokens":12,"prompt_tokens":25,"total_tokens":37}}`
	textAnswer    = `{"choices":[{"finish_reason":"length","index":0,"logprobs":null,"text":"\n\nI am a language model AI"}],"created":1701967000,"id":"cmpl-1","model":"m","object":"text_completion","usage":{"completion_tokens":16,"prompt_tokens":4,"total_tokens":20}}`
	ollamaAnswer  = `{"model":"llama3","created_at":"2024-01-15T08:13:38.876196Z","message":{"role":"assistant","content":"You cannot."},"done":true,"done_reason":"stop","prompt_eval_count":26,"eval_count":10}`
	ollamaText    = `{"model":"llama3","created_at":"2024-01-15T08:13:38.876196Z","response":"You cannot.","done":true,"done_reason":"stop","prompt_eval_count":26,"eval_count":10}`
	rawAnswer     = `{"data":[{"generated_text":"[INST]\nWhat is Sans? ?\n[/INST]\n\nIs a well known font."}]}`
	hfAnswer      = `{"object":"chat.completion","id":"","created":1722866733,"model":"mistralai/Mistral-7B-Instruct-v0.2","choices":[{"index":0,"message":{"role":"assistant","content":" The sum of 1 + 1 is 2."},"logprobs":null,"finish_reason":"eos_token"}],"usage":{"prompt_tokens":26,"completion_tokens":40,"total_tokens":66}}`
	allTurns      = `{"role":"system","content":"You are a mathematician."},` + kongTurns
	ollamaOptions = `"stream":false,"options":{"num_predict":512,"temperature":0.5}}`
)

var selfHostedRows = []row{
	{acceptance: []int{219}, name: "mistral", config: mistral("model.name", "mistralai/Mistral-7B-Instruct-v0.1-instruct"), answer: answer{body: mistralAnswer},
		want: want{json: obj{"model": "mistralai/Mistral-7B-Instruct-v0.1-instruct", "choices.0.message.content": "The sum of 1 + 1 is 2.", "id": "chatcmpl-1"}, header: map[string]string{"X-Kong-LLM-Model": "mistral/mistralai/Mistral-7B-Instruct-v0.1-instruct"}}},
	{acceptance: []int{220}, name: "mistral, a prompt", config: mistral("route_type", "llm/v1/completions", "model.options.upstream_url", "$UP/v1/completions"), send: request{body: kongPrompt}, answer: answer{body: textAnswer},
		want: want{upPath: "/v1/completions", json: obj{"choices.0.text": contains("I am a language model AI"), "object": "text_completion"}}},
	{acceptance: []int{222}, name: "mistral, a dialogue", config: mistral("model.options.max_tokens", 512, "model.options.temperature", 0.5), send: request{body: kongChat}, answer: answer{body: mistralAnswer},
		want: want{up: obj{whole: document(`{"messages":[` + allTurns + `],"model":"mistral-tiny","max_tokens":512,"stream":false,"temperature":0.5}`)}}},
	{acceptance: []int{222}, name: "mistral on ollama, a dialogue", config: mistral("model.options.mistral_format", "ollama", "model.options.upstream_url", "$UP/api/chat", "model.options.max_tokens", 512, "model.options.temperature", 0.5),
		send: request{body: kongChat}, answer: answer{body: ollamaAnswer},
		want: want{up: obj{whole: document(`{"model":"mistral-tiny","messages":[` + allTurns + `],` + ollamaOptions)}, json: obj{"choices.0.message": document(`{"role":"assistant","content":"You cannot."}`), "model": "llama3"}}},
	{acceptance: []int{224}, name: "huggingface", config: huggingface("/v1/chat/completions"), answer: answer{body: hfAnswer},
		want: want{up: obj{"model": "mistralai/Mistral-7B-Instruct-v0.2", "stream": false}, json: obj{"object": "chat.completion", "model": "mistralai/Mistral-7B-Instruct-v0.2", "choices.0.message.content": " The sum of 1 + 1 is 2."},
			header: map[string]string{"X-Kong-LLM-Model": "huggingface/mistralai/Mistral-7B-Instruct-v0.2"}}},
	{acceptance: []int{225}, name: "huggingface, a prompt", config: huggingface("/", "route_type", "llm/v1/completions"), send: request{body: `{"prompt":"What are you?"}`}, answer: answer{body: `[{"generated_text":"I am a language model AI created by Mistral AI"}]`},
		want: want{up: obj{"inputs": "What are you?"}, json: obj{"choices.0.message.content": "I am a language model AI created by Mistral AI", "choices.0.text": "I am a language model AI created by Mistral AI"}}},
	{acceptance: []int{226}, name: "huggingface, denied", config: huggingface("/v1/chat/completions"), answer: answer{status: 401, body: `{"error":"Authorization header is correct, but the token seems invalid"}`},
		want: want{status: 401, exactly: `{"error":"Authorization header is correct, but the token seems invalid"}`}},
	{acceptance: []int{226}, name: "huggingface, a prompt denied", config: huggingface("/", "route_type", "llm/v1/completions"), send: request{body: `{"prompt":"hi"}`}, answer: answer{status: 401, body: `{"error":"Authorization header is correct, but the token seems invalid"}`},
		want: want{status: 401, json: obj{"error.message": "Authorization header is correct, but the token seems invalid"}}},
	{acceptance: []int{227}, name: "huggingface loads", config: huggingface("/v1/chat/completions"), answer: answer{status: 503, body: `{"error":"Model m is currently loading","estimated_time":305.68}`},
		want: want{status: 503, exactly: `{"error":"Model m is currently loading","estimated_time":305.68}`}},
	{acceptance: []int{227}, name: "huggingface is late", config: huggingface("/v1/chat/completions"), answer: answer{status: 504, body: `{"error":"Model m time out"}`}, want: want{status: 504, exactly: `{"error":"Model m time out"}`}},
	{acceptance: []int{229}, name: "llama2, a dialogue", config: llama2("raw", "/raw", "model.options.max_tokens", 512, "model.options.temperature", 0.5), answer: answer{body: rawAnswer},
		send: talk(`{"role":"system","content":"You are a video game knowledgebase."},{"role":"user","content":"What is Missingno.?"},{"role":"system","content":"Missingno. is a weird character."},{"role":"user","content":"Why is it popular?"}`),
		want: want{up: obj{"inputs": "<s>[INST] <<SYS>> You are a video game knowledgebase. <</SYS>> What is Missingno.? [/INST] Missingno. is a weird character. </s> <s>[INST] Why is it popular? [/INST]",
			"parameters.max_new_tokens": 512, "parameters.temperature": 0.5, "messages": gone},
			json: obj{"choices.0.message": document(`{"role":"assistant","content":"Is a well known font."}`), "object": "chat.completion"}}},
	{acceptance: []int{230}, name: "llama2, a prompt", config: llama2("raw", "/raw", "route_type", "llm/v1/completions"), send: request{body: `{"prompt":"What is Missingno.?"}`}, answer: answer{body: rawAnswer},
		want: want{up: obj{"inputs": "<s> [INST] <<SYS>> You are a helpful assistant. <<SYS>> What is Missingno.? [/INST]"}, json: obj{"choices.0.text": "Is a well known font.", "object": "text_completion"}}},
	{acceptance: []int{230}, name: "llama2, several answers", config: llama2("raw", "/raw", "route_type", "llm/v1/completions"), send: request{body: `{"prompt":"hi"}`}, answer: answer{body: `{"data":[]}`},
		want: want{status: 500, json: obj{"error.message": contains("response data is empty from llama2 endpoint")}}},
	{acceptance: []int{231}, name: "llama2 on ollama, a dialogue", config: llama2("ollama", "/api/chat", "model.options.max_tokens", 512, "model.options.temperature", 0.5), send: request{body: kongChat}, answer: answer{body: ollamaAnswer},
		want: want{up: obj{whole: document(`{"model":"llama2","messages":[` + allTurns + `],` + ollamaOptions)}, json: obj{"choices.0.message.content": "You cannot.", "usage.prompt_tokens": 26, "usage.completion_tokens": 10}}},
	{acceptance: []int{231}, name: "llama2 on ollama, a prompt", config: llama2("ollama", "/api/generate", "route_type", "llm/v1/completions", "model.options.max_tokens", 512, "model.options.temperature", 0.5), send: request{body: kongPrompt}, answer: answer{body: ollamaText},
		want: want{up: obj{whole: document(`{"prompt":"Explain why you can't divide by zero?","model":"llama2",` + ollamaOptions)}, json: obj{"choices.0.text": "You cannot.", "object": "text_completion"}}},
	{acceptance: []int{232}, name: "ollama, a tool called", config: ollama("/api/chat"), send: asks(`"auto"`),
		answer: answer{body: `{"model":"llama3","created_at":"2024-01-15T08:13:38.876196Z","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"weather","arguments":{"city":"Paris"}}}]},"done":true,"done_reason":"stop","prompt_eval_count":26,"eval_count":10}`},
		want: want{up: obj{"tools": document(`[` + weatherTool + `]`)}, json: obj{"choices.0.finish_reason": "tool_calls", "choices.0.message.tool_calls.0.type": "function",
			"choices.0.message.tool_calls.0.function": document(`{"name":"weather","arguments":"{\"city\":\"Paris\"}"}`)}}},
	{acceptance: []int{232}, name: "ollama, a tool's result", config: ollama("/api/chat"), send: talk(weatherHistory), answer: answer{body: ollamaAnswer},
		want: want{up: obj{"messages.1.tool_calls.0.function.arguments": document(`{"city":"Paris"}`), "messages.2.role": "tool", "messages.2.content": "sunny"}}},
	{acceptance: []int{233}, name: "ollama, parts", config: ollama("/api/chat"), send: looks(`{"type":"text","text":"What is this?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0="}}`), answer: answer{body: ollamaAnswer},
		want: want{up: obj{"messages": document(`[{"role":"user","content":"What is this?","images":["iVBORw0="]}]`)}}},
	{acceptance: []int{234}, name: "ollama, the host alone", config: ollama(""), answer: answer{body: ollamaAnswer}, want: want{upPath: "/api/chat", json: obj{"choices.0.message.content": "You cannot."}}},
	{acceptance: []int{234}, name: "ollama, the host and a slash", config: ollama("/"), answer: answer{body: ollamaAnswer}, want: want{upPath: "/api/chat"}},
	{acceptance: []int{234}, name: "ollama, a path of one's own", config: ollama("/behind/api/chat"), answer: answer{body: ollamaAnswer}, want: want{upPath: "/behind/api/chat"}},
	{acceptance: []int{235}, name: "vllm", config: provider("vllm", "/v1/chat/completions"), want: want{up: obj{"model": "gpt-4o", "stream": false}, json: obj{"choices.0.message.content": "The sum is 2."}}},
	{acceptance: []int{235}, name: "vllm, the host alone", config: provider("vllm", ""), want: want{upPath: "/v1/chat/completions"}},
	{acceptance: []int{235}, name: "vllm, a stream", config: provider("vllm", "/v1/chat/completions"), send: request{body: streamBody}, answer: counted,
		want: want{up: obj{"stream": true}, body: []string{`"content":"The sum "`, `"content":"is 2."`, "data: [DONE]\n\n"}, log: obj{"ai.proxy.usage.prompt_tokens": 9}}},
	{acceptance: []int{236}, name: "xai thinks", config: provider("xai", "/v1/chat/completions", "model.name", "grok-3-mini"), send: say(`"reasoning_effort":"high",`),
		answer: answer{body: strings.Replace(openAIAnswer, `"content"`, `"reasoning_content":"Two of them.","content"`, 1)}, want: want{up: obj{"reasoning_effort": "high"}, json: obj{"choices.0.message.reasoning_content": "Two of them."}}},
	{acceptance: []int{238}, name: "cerebras", config: provider("cerebras", "/v1/chat/completions"), want: want{json: obj{"choices.0.message.content": "The sum is 2."}}},
	{acceptance: []int{239}, name: "databricks", config: provider("databricks", "/serving-endpoints/v1/chat/completions", "model.options.databricks", obj{"workspace_instance_id": "dbc-x"}), answer: counted,
		send: request{body: strings.Replace(streamBody, "{", `{"stream_options":{"include_usage":true},`, 1)}, want: want{up: obj{"stream": true, "stream_options": gone}, body: []string{"data: [DONE]\n\n"}}},
	{acceptance: []int{240}, name: "dashscope", config: provider("dashscope", "/compatible-mode/v1/chat/completions", "model.name", "qwen-plus", "model.options.dashscope", obj{"international": true}),
		want: want{up: obj{"model": "qwen-plus"}, header: map[string]string{"X-Kong-LLM-Model": "dashscope/qwen-plus"}}},
}

func TestSelfHostedAndOthers(t *testing.T) { run(t, selfHostedRows) }
