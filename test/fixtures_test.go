package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kongFixtures are Kong's own, where the specification lies beside the repository.
var kongFixtures = filepath.Join("..", "..", "shared", "spec", "data", "kong-oss-fixtures")

// fixture is the text of one of kongFixtures.
func fixture(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(kongFixtures, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// kongUnits are the cases of Kong's unit tests: a request of unit/requests must
// become exactly that of unit/expected-requests, and of the answer to it in
// unit/real-responses Kong compares the first choice's message and the model.
var kongUnits = []struct {
	acceptance []int
	path       string // of the provider and format, in Kong's folders
	completion bool
	config     obj
}{
	{[]int{85, 87}, "openai", false, chat("model.name", "gpt-4", "model.options.max_tokens", 512, "model.options.temperature", 0.5)},
	{[]int{86, 87}, "openai", true, chat("route_type", "llm/v1/completions", "model.name", "gpt-3.5-turbo-instruct", "model.options.max_tokens", 512, "model.options.temperature", 0.5)},
	{[]int{129}, "anthropic", false, anthropic("model.options.max_tokens", 512, "model.options.temperature", 0.5)},
	{[]int{130}, "anthropic", true, anthropic("route_type", "llm/v1/completions", "logging", gone, "model.options.max_tokens", 512, "model.options.temperature", 0.5)},
	{[]int{211}, "azure", false, azure("model.name", "gpt-4", "model.options.max_tokens", 512, "model.options.temperature", 0.5, "model.options.top_p", 1)},
	{[]int{211}, "azure", true, azure("route_type", "llm/v1/completions", "model.name", "gpt-3.5-turbo-instruct", "model.options.max_tokens", 512, "model.options.temperature", 0.5, "model.options.top_p", 1)},
	{[]int{154}, "bedrock", false, bedrock("/model/bedrock/converse", "model.name", "bedrock", "model.options.anthropic_version", "bedrock-2023-05-31", "model.options.max_tokens", 8192, "model.options.temperature", 0.8, "model.options.top_p", 0.6)},
	{[]int{222}, "mistral/openai", false, mistral("model.options.max_tokens", 512, "model.options.temperature", 0.5)},
	{[]int{222}, "mistral/ollama", false, mistral("model.options.mistral_format", "ollama", "model.options.upstream_url", "$UP/api/chat", "model.options.max_tokens", 512, "model.options.temperature", 0.5)},
}

func TestKongsFixtures(t *testing.T) {
	if _, err := os.Stat(kongFixtures); err != nil {
		t.Skip("Kong's fixtures are not here: the rows of this package have the same in other words")
	}
	var rows []row
	for _, unit := range kongUnits {
		file := "llm-v1-chat.json"
		if unit.completion {
			file = "llm-v1-completions.json"
		}
		var expected any
		if err := json.Unmarshal([]byte(fixture(t, "unit/expected-responses/"+unit.path+"/"+file)), &expected); err != nil {
			t.Fatal(err)
		}
		checks := obj{"model": at(expected, "model")}
		for _, k := range []string{"choices.0.message.content", "choices.0.message.role", "choices.0.text"} {
			if v := at(expected, k); v != any(gone) {
				checks[k] = v
			}
		}
		rows = append(rows, row{
			acceptance: unit.acceptance, name: unit.path + "/" + strings.TrimSuffix(file, ".json"), config: unit.config,
			send: request{body: fixture(t, "unit/requests/"+file)}, answer: answer{body: fixture(t, "unit/real-responses/"+unit.path+"/"+file)},
			want: want{up: obj{whole: document(fixture(t, "unit/expected-requests/"+unit.path+"/"+file))}, json: checks},
		})
	}
	for _, c := range kongCases {
		c.send.body = fixture(t, c.send.body)
		c.answer.body = fixture(t, c.answer.body)
		if c.want.exactly != "" {
			c.want.exactly = fixture(t, c.want.exactly)
		}
		rows = append(rows, c)
	}
	run(t, rows)
}

const (
	goodChat   = "openai/llm-v1-chat/requests/good.json"
	goodPrompt = "openai/llm-v1-completions/requests/good.json"
	htmlError  = "anthropic/llm-v1-chat/responses/internal_server_error.html"
	noAnswer   = "anthropic/llm-v1-chat/responses/bad_upstream_response.json"
)

// kongCases are cases of Kong's integration tests; bodies are names of fixtures.
var kongCases = []row{
	{acceptance: []int{131}, name: "anthropic", config: anthropic(), send: request{body: "anthropic/llm-v1-chat/requests/good.json"}, answer: answer{body: "anthropic/llm-v1-chat/responses/good.json"},
		want: want{json: obj{"choices.0.message.content": "The sum of 1 + 1 is 2.", "model": "claude-2.1", "choices.0.finish_reason": "stop"}}},
	{acceptance: []int{132}, name: "anthropic, nothing", config: anthropic(), send: request{body: goodChat}, answer: answer{body: noAnswer},
		want: want{status: 500, json: obj{"error.message": "transformation failed from type anthropic://llm/v1/chat: 'content' not in anthropic://llm/v1/chat response"}}},
	{acceptance: []int{133}, name: "anthropic, no usage", config: anthropic(), send: request{body: goodChat}, answer: answer{body: "anthropic/llm-v1-chat/responses/no_usage_response.json"}, want: want{json: obj{"usage": "no usage data returned from upstream"}}},
	{acceptance: []int{134}, name: "anthropic, odd usage", config: anthropic(), send: request{body: goodChat}, answer: answer{body: "anthropic/llm-v1-chat/responses/malformed_usage_response.json"}, want: want{json: obj{"usage": document(`{}`)}}},
	{acceptance: []int{135}, name: "any tool", config: anthropic("model.name", gone), send: request{body: "openai/llm-v1-chat/requests/tool_choice_auto.json"}, answer: answer{body: "anthropic/llm-v1-chat/responses/good.json"}, want: want{up: obj{"tool_choice": document(`{"type":"auto"}`)}}},
	{acceptance: []int{135}, name: "no tool", config: anthropic("model.name", gone), send: request{body: "openai/llm-v1-chat/requests/tool_choice_none.json"}, answer: answer{body: "anthropic/llm-v1-chat/responses/good.json"}, want: want{up: obj{"tool_choice": document(`{"type":"none"}`)}}},
	{acceptance: []int{135}, name: "some tool", config: anthropic("model.name", gone), send: request{body: "openai/llm-v1-chat/requests/tool_choice_required.json"}, answer: answer{body: "anthropic/llm-v1-chat/responses/good.json"}, want: want{up: obj{"tool_choice": document(`{"type":"any"}`)}}},
	{acceptance: []int{135}, name: "this tool", config: anthropic("model.name", gone), send: request{body: "openai/llm-v1-chat/requests/tool_choice_object_function.json"}, answer: answer{body: "anthropic/llm-v1-chat/responses/good.json"},
		want: want{up: obj{"tool_choice": document(`{"type":"tool","name":"my_function"}`)}}},
	{acceptance: []int{136}, name: "anthropic, a prompt", config: anthropic("route_type", "llm/v1/completions", "logging", gone), send: request{body: "anthropic/llm-v1-completions/requests/good.json"}, answer: answer{body: "anthropic/llm-v1-completions/responses/good.json"},
		want: want{json: obj{"choices.0.text": " Hello! My name is Claude.", "model": "claude-2.1"}}},
	{acceptance: []int{137}, name: "anthropic, 500", config: anthropic(), send: request{body: goodChat}, answer: answer{status: 500, header: map[string]string{"Content-Type": "text/html"}, body: htmlError}, want: want{status: 500, exactly: htmlError}},
	{acceptance: []int{137}, name: "anthropic, a prompt, 401", config: anthropic("route_type", "llm/v1/completions", "logging", gone), send: request{body: goodPrompt}, answer: answer{status: 401, body: "anthropic/llm-v1-completions/responses/unauthorized.json"},
		want: want{status: 401, json: obj{"error.message": "Invalid API Key"}}},
	{acceptance: []int{177}, name: "gemini", config: gemini("model.options.input_cost", 15, "model.options.output_cost", 15), send: request{body: goodChat}, answer: answer{body: "gemini/llm-v1-chat/responses/good.json"},
		want: want{json: obj{"choices.0.message.content": "Everything is okay.", "choices.0.finish_reason": "stop"}, log: obj{"ai.proxy.usage.cost": about(0.000195), "ai.proxy.usage.total_tokens": 13}}},
	{acceptance: []int{188}, name: "gemini, unsafe", config: gemini(), send: request{body: goodChat}, answer: answer{body: "gemini/llm-v1-chat/responses/fails_safety.json"}, want: want{json: obj{"choices.0.finish_reason": "content_filter"}}},
	{acceptance: []int{199}, name: "cohere", config: cohere("/v1/chat"), send: request{body: "cohere/llm-v1-chat/requests/good.json"}, answer: answer{body: "cohere/llm-v1-chat/responses/good.json"},
		want: want{json: obj{"id": "3fa85f64-5717-4562-b3fc-2c963f66afa6", "choices.0.message.content": "The sum of 1 + 1 is 2.", "usage.prompt_tokens": 81, "usage.completion_tokens": 258, "usage.total_tokens": 339}}},
	{acceptance: []int{202}, name: "cohere, nothing", config: cohere("/v1/chat"), send: request{body: goodChat}, answer: answer{body: noAnswer},
		want: want{status: 500, json: obj{"error.message": "transformation failed from type cohere://llm/v1/chat: 'text' or 'generations' missing from cohere response body"}}},
	{acceptance: []int{203}, name: "cohere, a prompt", config: cohere("/v1/generate", "route_type", "llm/v1/completions"), send: request{body: goodPrompt}, answer: answer{body: "cohere/llm-v1-completions/responses/good.json"},
		want: want{json: obj{"choices.0.text": "1 + 1 is 2.", "choices.0.finish_reason": "stop", "object": "text_completion"}}},
	{acceptance: []int{219}, name: "mistral", config: mistral(), send: request{body: goodChat}, answer: answer{body: "mistral/llm-v1-chat/responses/good.json"}, want: want{json: obj{"model": "mistralai/Mistral-7B-Instruct-v0.1-instruct"}}},
	{acceptance: []int{220}, name: "mistral, a prompt", config: mistral("route_type", "llm/v1/completions"), send: request{body: goodPrompt}, answer: answer{body: "mistral/llm-v1-completions/responses/good.json"},
		want: want{json: obj{"choices.0.text": contains("I am a language model AI")}}},
	{acceptance: []int{224}, name: "huggingface", config: huggingface("/v1/chat/completions"), send: request{body: "huggingface/llm-v1-chat/requests/good.json"}, answer: answer{body: "huggingface/llm-v1-chat/responses/good.json"},
		want: want{json: obj{"object": "chat.completion", "model": "mistralai/Mistral-7B-Instruct-v0.2", "choices.0.message.content": contains("The sum of 1 + 1 is 2.")}}},
	{acceptance: []int{225}, name: "huggingface, a prompt", config: huggingface("/x", "route_type", "llm/v1/completions"), send: request{body: "huggingface/llm-v1-completions/requests/good.json"}, answer: answer{body: "huggingface/llm-v1-completions/responses/good.json"},
		want: want{json: obj{"choices.0.message.content": "I am a language model AI created by Mistral AI", "choices.0.text": "I am a language model AI created by Mistral AI"}}},
	{acceptance: []int{229}, name: "llama2", config: llama2("raw", "/raw"), send: request{body: "llama2/raw/requests/good-chat.json"}, answer: answer{body: "llama2/raw/responses/good.json"}, want: want{json: obj{"choices.0.message.content": "Is a well known font."}}},
	{acceptance: []int{230}, name: "llama2, a prompt", config: llama2("raw", "/raw", "route_type", "llm/v1/completions"), send: request{body: "llama2/raw/requests/good-completions.json"}, answer: answer{body: "llama2/raw/responses/good.json"},
		want: want{json: obj{"choices.0.text": "Is a well known font."}}},
}
