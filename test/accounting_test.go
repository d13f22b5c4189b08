package test

import (
	"math"
	"strings"
	"testing"
)

const pluginID = "6e7c40f6-ce96-48e4-a366-d109c169e444"

func priced(more ...any) obj {
	return chat(append([]any{"model.options.input_cost", 10, "model.options.output_cost", 10}, more...)...)
}

// using is an answer with that usage, and more members.
func using(usage, more string) answer {
	return answer{body: `{"id":"c","object":"chat.completion","model":"gpt-4o-x","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":` + usage + more + `}`}
}

func about(f float64) func(any) bool {
	return func(v any) bool { got, ok := v.(float64); return ok && math.Abs(got-f) < 1e-9 }
}

func contains(part string) func(any) bool {
	return func(v any) bool { s, ok := v.(string); return ok && strings.Contains(s, part) }
}

var accountingRows = []row{
	{acceptance: []int{263, 268, 269}, name: "statistics", config: priced(), want: want{log: obj{
		"ai.proxy.meta.provider_name": "openai", "ai.proxy.meta.request_model": "gpt-4o", "ai.proxy.meta.response_model": "gpt-4o-2024-08-06", "ai.proxy.meta.request_mode": "oneshot", "ai.proxy.meta.outcome": "completed",
		"ai.proxy.usage.prompt_tokens": 25, "ai.proxy.usage.completion_tokens": 12, "ai.proxy.usage.total_tokens": 37, "ai.proxy.usage.cost": about(0.00037),
		"ai.proxy.usage.time_to_first_token": func(v any) bool { _, ok := v.(float64); return ok }, "ai.ai-proxy": absent{}, "ai.proxy.payload": absent{}}}},
	{acceptance: []int{305}, name: "the target that was tried", config: priced(), want: want{log: obj{
		"ai.proxy.tried_targets.0.provider": "openai", "ai.proxy.tried_targets.0.model": "gpt-4o", "ai.proxy.tried_targets.0.route_type": "llm/v1/chat", "ai.proxy.tried_targets.0.host": "127.0.0.1",
		"ai.proxy.tried_targets.0.ip": "127.0.0.1", "ai.proxy.tried_targets.0.upstream_scheme": "http", "ai.proxy.tried_targets.0.upstream_uri": "/v1/chat/completions", "ai.proxy.tried_targets.1": absent{}}}},
	{acceptance: []int{264}, name: "no statistics, no ai", config: chat("logging.log_statistics", false), want: want{log: obj{"ai": absent{}}}},
	{acceptance: []int{265}, name: "payloads", config: chat("logging.log_payloads", true), want: want{log: obj{"ai.proxy.payload.request": contains("What is 1 + 1?"), "ai.proxy.payload.response": contains("chatcmpl-1")}}},
	{acceptance: []int{265}, name: "payloads without statistics", config: chat("logging.log_statistics", false, "logging.log_payloads", true), want: want{log: obj{"ai.proxy.payload.request": contains("What is 1 + 1?"), "ai.proxy.usage": absent{}}}},
	{acceptance: []int{266}, name: "statistics of images", config: priced(), send: request{body: `{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}]}`},
		want: want{log: obj{"ai.proxy.usage.total_tokens": 37}}},
	{acceptance: []int{267}, name: "ten words", config: chat(), send: request{body: `{"messages":[{"role":"system","content":"one two three four"},{"role":"user","content":[{"type":"text","text":"five six seven eight nine ten"},{"type":"image_url","image_url":{"url":"https://x/a b"}}]}]}`},
		answer: using("null", ""), want: want{log: obj{"ai.proxy.usage.prompt_tokens": 10}}},
	{acceptance: []int{270}, name: "cached tokens have a price of their own", config: priced("model.options.cache_read_cost", 1), answer: using(`{"prompt_tokens":150,"completion_tokens":10,"total_tokens":160,"prompt_tokens_details":{"cached_tokens":100}}`, ""),
		want: want{log: obj{"ai.proxy.usage.cost": about((50*10 + 100*1 + 10*10) / 1e6), "ai.proxy.usage.prompt_tokens_details.cached_tokens": 100}}},
	{acceptance: []int{271}, name: "so have tokens that are kept", config: with(claude, "model.options.input_cost", 10, "model.options.output_cost", 10, "model.options.cache_write_cost", 12, "model.options.cache_write_cost_list", list{obj{"ttl": "1h", "cost": 20}}),
		answer: answer{body: strings.Replace(anthropicAnswer, `"input_tokens":25,"output_tokens":12`, `"input_tokens":5,"output_tokens":2,"cache_read_input_tokens":0,"cache_creation_input_tokens":10,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":10}`, 1)},
		want:   want{log: obj{"ai.proxy.usage.prompt_tokens": 15, "ai.proxy.usage.cost": about((5*10 + 10*20 + 2*10) / 1e6)}}},
	{acceptance: []int{272}, name: "a tier costs more", config: priced("model.options.service_tier_factor", list{obj{"tier": "priority", "factor": 2}}), answer: using(`{"prompt_tokens":10,"completion_tokens":10,"total_tokens":20}`, `,"service_tier":"fast"`),
		want: want{log: obj{"ai.proxy.usage.cost": about(2 * 200 / 1e6)}}},
	{acceptance: []int{273}, name: "a long prompt costs more", config: priced("model.options.context_window_factor", list{obj{"above": "200000", "input_factor": 2, "output_factor": 1.5}}), answer: using(`{"prompt_tokens":250000,"completion_tokens":100,"total_tokens":250100}`, ""),
		want: want{log: obj{"ai.proxy.usage.cost": about((250000*10*2 + 100*10*1.5) / 1e6)}}},
	{acceptance: []int{274}, name: "keys are redacted", config: azure(), send: request{query: "key=client-key", header: map[string]string{"Api-Key": "client-key", "Authorization": "Bearer client-key"}},
		want: want{log: obj{"request.headers.api-key": "REDACTED", "request.headers.authorization": "REDACTED", "request.querystring.key": "REDACTED", "request.uri": contains("?key=REDACTED")}}},
	{name: "what the relay refuses is logged, too", config: chat(), send: request{body: `{}`},
		want: want{status: 400, refused: true, log: obj{"response.status": 400, "ai.proxy.meta.outcome": "refused", "ai.proxy.meta.error": "request body doesn't contain valid prompts", "ai.proxy.tried_targets": absent{}}}},
}

func TestAccounting(t *testing.T) { run(t, accountingRows) }

// Acceptance 263: the id is the plugin's own.
func TestTheLogNamesThePlugin(t *testing.T) {
	up := newUpstream(t, answer{})
	route := on("/chat", chat("model.options.upstream_url", up.URL))
	route["plugins"].(list)[0].(obj)["id"] = pluginID
	g := start(t, nil, "-config", writeConfig(t, declare(route)))
	resp, err := client.Post(g.url+"/chat", "application/json", strings.NewReader(chatBody))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := at(g.only(t, 1), "ai.proxy.meta.plugin_id"); got != pluginID {
		t.Errorf("plugin_id is %v", got)
	}
}
