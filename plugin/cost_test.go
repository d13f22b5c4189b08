package plugin

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	"go-ai-proxy/plugin/resp/redistest"
)

const (
	claudeEnd = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	kimiChunk = `{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}`
)

// claudeStream is a stream of Claude's whose usage has more members at its start and end.
func claudeStream(start, end string) string {
	return "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-sonnet-4-5\",\"content\":[],\"usage\":{\"input_tokens\":1000,\"output_tokens\":1" + start + "}}}\n\n" +
		"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n" +
		"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n" +
		"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n" +
		"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":100" + end + "}}\n\n" + claudeEnd
}

// TestCostFollowsTierContextAndSearches, of the built-in prices and in each format,
// whole and streamed, as it is and translated.
func TestCostFollowsTierContextAndSearches(t *testing.T) {
	const events = "text/event-stream"
	claude := func(usage string) string {
		return `{"id":"m","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":1000,"output_tokens":100` + usage + `}}`
	}
	chat := func(usage, more string) string {
		return `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":` + usage + more + `}`
	}
	response := func(output, more string) string {
		return `{"id":"r","object":"response","status":"completed","model":"m","output":[` + output + `{"type":"message","id":"i","role":"assistant","status":"completed","content":[{"type":"output_text","text":"hi","annotations":[]}]}],"usage":{"input_tokens":1000,"output_tokens":100,"total_tokens":1100}` + more + `}`
	}
	const usage = `{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}`
	const search = `{"type":"web_search_call","id":"w","status":"completed","action":{"type":"search","query":"q"}},{"type":"web_search_call","id":"x","status":"completed","action":{"type":"open_page","url":"https://x"}},`
	const anthropic, three = `"anthropic_version":"2023-06-01"`, `,"server_tool_use":{"web_search_requests":3}`
	const claudeCost = (1000*3 + 100*15) / 1e6
	ask := `{"max_tokens":9,"messages":[{"role":"user","content":"hello"}]}`
	asks := strings.Replace(ask, "{", `{"stream":true,`, 1)
	for _, c := range []struct {
		name, format, provider, model, options, path, body, contentType, answer string
		cost                                                                    float64
	}{
		{"claude", "anthropic", "anthropic", "claude-sonnet-4-5", anthropic, "/v1/messages", ask, asJSON, claude(`,"service_tier":"standard"`), claudeCost},
		{"claude, batch", "anthropic", "anthropic", "claude-sonnet-4-5", anthropic, "/v1/messages", ask, asJSON, claude(`,"service_tier":"batch"`), claudeCost / 2},
		{"claude, fast", "anthropic", "anthropic", "claude-opus-4-8", anthropic, "/v1/messages", ask, asJSON, claude(`,"speed":"fast"`), 2 * (1000*5 + 100*25) / 1e6},
		{"claude, searches", "anthropic", "anthropic", "claude-sonnet-4-5", anthropic, "/v1/messages", ask, asJSON, claude(three), claudeCost + 3*0.01},
		{"claude translated, searches", "openai", "anthropic", "claude-sonnet-4-5", anthropic, "/chat", ask, asJSON, claude(three), claudeCost + 3*0.01},
		{"claude streamed, searches", "anthropic", "anthropic", "claude-sonnet-4-5", anthropic, "/v1/messages", asks, events, claudeStream("", three), claudeCost + 3*0.01},
		{"claude translated and streamed, searches", "openai", "anthropic", "claude-sonnet-4-5", anthropic, "/chat", asks, events, claudeStream("", three), claudeCost + 3*0.01},
		{"claude streamed, batch", "openai", "anthropic", "claude-sonnet-4-5", anthropic, "/chat", asks, events, claudeStream(`,"service_tier":"batch"`, ""), claudeCost / 2},
		{"openai", "openai", "openai", "gpt-5", "", "/chat", ask, asJSON, chat(usage, `,"service_tier":"default"`), (1000*1.25 + 100*10) / 1e6},
		{"openai, flex", "openai", "openai", "gpt-5", "", "/chat", ask, asJSON, chat(usage, `,"service_tier":"flex"`), (1000*1.25 + 100*10) / 2e6},
		{"openai, priority", "openai", "openai", "gpt-5", "", "/chat", ask, asJSON, chat(usage, `,"service_tier":"priority"`), 2 * (1000*1.25 + 100*10) / 1e6},
		{"openai streamed, flex", "openai", "openai", "gpt-5", "", "/chat", asks, events, "data: " + kimiChunk + "\n\ndata: " + `{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","service_tier":"flex","choices":[],"usage":` + usage + "}\n\ndata: [DONE]\n\n", (1000*1.25 + 100*10) / 2e6},
		{"openai translated, flex", "anthropic", "openai", "gpt-5", "", "/v1/messages", ask, asJSON, chat(usage, `,"service_tier":"flex"`), (1000*1.25 + 100*10) / 2e6},
		{"responses, flex", "openai", "openai", "gpt-5", "", "/v1/responses", `{"input":"x"}`, asJSON, response("", `,"service_tier":"flex"`), (1000*1.25 + 100*10) / 2e6},
		{"responses, a search and a page", "openai", "openai", "gpt-5", "", "/v1/responses", `{"input":"x"}`, asJSON, response(search, ""), (1000*1.25+100*10)/1e6 + 0.01},
		{"responses streamed, a search", "openai", "openai", "gpt-5", "", "/v1/responses", `{"input":"x","stream":true}`, events, "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":" + response(search, "") + "}\n\n", (1000*1.25+100*10)/1e6 + 0.01},
		{"converse, flex", "bedrock", "bedrock", "amazon.nova-pro-v1:0", `"bedrock":{"aws_region":"us-east-1"},"service_tier_factor":[{"tier":"flex","factor":0.5}],"input_cost":1,"output_cost":2`, "/model/amazon.nova-pro-v1:0/converse", `{"messages":[{"role":"user","content":[{"text":"x"}]}]}`, asJSON,
			`{"output":{"message":{"role":"assistant","content":[{"text":"hi"}]}},"stopReason":"end_turn","usage":{"inputTokens":1000,"outputTokens":100,"totalTokens":1100},"serviceTier":{"type":"flex"}}`, (1000 + 200) / 2e6},
		{"gemini, a long prompt", "gemini", "gemini", "gemini-2.5-pro", "", "/v1beta/models/gemini-2.5-pro:generateContent", `{"contents":[{"parts":[{"text":"x"}]}]}`, asJSON,
			`{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":250000,"candidatesTokenCount":100}}`, (250000*2.5 + 100*15) / 1e6},
		{"gemini translated, at the bound", "openai", "gemini", "gemini-2.5-pro", "", "/chat", ask, asJSON,
			`{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":200000,"candidatesTokenCount":100}}`, (200000*1.25 + 100*10) / 1e6},
		{"perplexity", "openai", "perplexity", "sonar", "", "/chat", ask, asJSON, chat(usage, ""), 1100/1e6 + 0.005},
		{"perplexity, deep research", "openai", "perplexity", "sonar-deep-research", "", "/chat", ask, asJSON, chat(`{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100,"num_search_queries":20}`, ""), (1000*2+100*8)/1e6 + 20*0.005},
		{"qwen, written to a cache", "openai", "dashscope", "qwen3-max", "", "/chat", ask, asJSON, chat(`{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100,"prompt_tokens_details":{"cached_tokens":0,"cache_creation_input_tokens":800,"cache_creation":{"ephemeral_5m_input_tokens":800}}}`, ""), (200*1.2 + 800*1.5 + 100*6) / 1e6},
	} {
		t.Run(c.name, func(t *testing.T) {
			route := "llm/v1/chat"
			if strings.HasSuffix(c.path, "/responses") {
				route = "llm/v1/responses"
			}
			conf := strings.Replace(routeConf(route, c.provider, c.model, c.options), `"route_type"`, `"llm_format":"`+c.format+`","route_type"`, 1)
			conf = strings.Replace(conf, `"log_statistics":true`, `"log_statistics":true,"price_file":"built_in"`, 1)
			b := newBench(t, conf, replying(200, c.contentType, c.answer)).elsewhere()
			if resp, text := b.send("POST", c.path, asJSON, c.body); resp.StatusCode != 200 {
				t.Fatalf("%d %s", resp.StatusCode, text)
			}
			rec := b.record()
			if got, _ := at(rec, "usage.cost").(float64); math.Abs(got-c.cost) > 1e-12 {
				t.Errorf("cost %v, want %v: %v", got, c.cost, rec["usage"])
			}
		})
	}
}

// TestBatchIsPaidOnce when its results are downloaded, by half, whichever node they are
// downloaded through, and as what each of its requests is: many short prompts are no
// long one.
func TestBatchIsPaidOnce(t *testing.T) {
	var claude, openai strings.Builder
	for i := range 3 {
		fmt.Fprintf(&claude, `{"custom_id":"%d","result":{"type":"succeeded","message":{"id":"m","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":100000,"output_tokens":1000,"service_tier":"batch"}}}}`+"\n", i)
		fmt.Fprintf(&openai, `{"custom_id":"%d","response":{"status_code":200,"body":{"object":"chat.completion","model":"m","choices":[],"usage":{"prompt_tokens":100000,"completion_tokens":1000,"total_tokens":101000}}}}`+"\n", i)
	}
	claude.WriteString(`{"custom_id":"e","result":{"type":"errored","error":{"type":"error"}}}` + "\n")
	const prices = `"input_cost":1,"output_cost":10,"service_tier_factor":[{"tier":"batch","factor":0.5}],"context_window_factor":[{"above":"200k","input_factor":2,"output_factor":2}]`
	server := redistest.New(t)
	for _, c := range []struct{ name, format, provider, options, route, path, file string }{
		{"claude", "anthropic", "anthropic", prices + `,"anthropic_version":"2023-06-01"`, "llm/v1/chat", "/v1/messages/batches/msgbatch_1/results", claude.String()},
		{"claude, for openai's client", "openai", "anthropic", prices + `,"anthropic_version":"2023-06-01"`, "llm/v1/files", "/v1/files/msgbatch_2/content", claude.String()},
		{"openai", "openai", "openai", prices, "llm/v1/files", "/v1/files/file-1/content", openai.String()},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf := strings.Replace(routeConf(c.route, c.provider, "", c.options), `"route_type"`, `"llm_format":"`+c.format+`","route_type"`, 1)
			prompt, cost := 0.0, 0.0
			for node := range 2 {
				b := newBench(t, conf, replying(200, "application/x-jsonl", c.file)).elsewhere()
				if err := b.relay.Share(server.URL()); err != nil {
					t.Fatal(err)
				}
				for range 2 {
					if resp, text := b.send("GET", c.path, "", ""); resp.StatusCode != 200 || strings.Count(text, "custom_id") < 3 {
						t.Fatalf("%d %s", resp.StatusCode, text)
					}
					rec := b.record()
					if node == 0 && prompt == 0 && at(rec, "usage.prompt_tokens") == 0.0 {
						t.Errorf("not counted: %v", rec)
					}
					prompt += at(rec, "usage.prompt_tokens").(float64)
					cost += at(rec, "usage.cost").(float64)
				}
			}
			if prompt != 300_000 || math.Abs(cost-(300_000+10*3000)/2e6) > 1e-12 {
				t.Errorf("charged %v tokens, cost %v", prompt, cost)
			}
		})
	}
}

// TestAnswersOfTwoAccountsAreCountedEach: behind one host, ids may be the same.
func TestAnswersOfTwoAccountsAreCountedEach(t *testing.T) {
	const done = `{"id":"resp_1","object":"response","status":"completed","background":true,"model":"m","output":[],"usage":{"input_tokens":100,"output_tokens":10,"total_tokens":110}}`
	b := newBench(t, routeConf("llm/v1/responses", "openai", "", `"upstream_url":"$UP/$(query_params.account)/v1/responses"`), answering(done))
	total := 0.0
	for _, account := range []string{"a", "b"} {
		for _, ask := range [][3]string{{"POST", "/v1/responses", `{"model":"m","input":"hello","background":true}`}, {"GET", "/v1/responses/resp_1", ""}, {"GET", "/v1/responses/resp_1", ""}} {
			if resp, text := b.send(ask[0], ask[1]+"?account="+account, asJSON, ask[2]); resp.StatusCode != 200 {
				t.Fatalf("%d %s", resp.StatusCode, text)
			}
			total += at(b.record(), "usage.total_tokens").(float64)
		}
	}
	if total != 220 {
		t.Errorf("counted %v tokens of two answers with 110 each", total)
	}
}

// TestBackgroundAnswerIsCountedByTheNodeThatSeesItsEndFirst, once among all nodes, and
// its budget has it once.
func TestBackgroundAnswerIsCountedByTheNodeThatSeesItsEndFirst(t *testing.T) {
	server := redistest.New(t)
	answer := func(status, usage string) string {
		return `{"id":"resp_1","object":"response","status":"` + status + `","background":true,"model":"m","output":[],"usage":` + usage + `}`
	}
	done := answer("completed", `{"input_tokens":100,"output_tokens":10,"total_tokens":110}`)
	state := answer("queued", "null")
	var nodes []*bench
	conf := strings.Replace(routeConf("llm/v1/responses", "openai", "", `"input_cost":1,"output_cost":1`), "{", `{"budgets":[{"per":"route","limit":{"tokens":100000},"window":"30d"}],`, 1)
	for range 2 {
		b := newBench(t, conf, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", asJSON)
			io.WriteString(w, state)
		}).elsewhere()
		nodes = append(nodes, b)
	}
	for _, b := range nodes {
		if err := b.relay.Share(server.URL()); err != nil {
			t.Fatal(err)
		}
	}
	total := 0.0
	ask := func(node int, method, path, body string) {
		t.Helper()
		if resp, text := nodes[node].send(method, path, asJSON, body); resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, text)
		}
		rec := nodes[node].record()
		if at(rec, "usage.estimated") != nil {
			t.Errorf("%s %s: %v", method, path, rec["usage"])
		}
		total += at(rec, "usage.total_tokens").(float64)
	}
	ask(0, "POST", "/v1/responses", `{"model":"m","input":"hello","background":true}`)
	ask(1, "GET", "/v1/responses/resp_1", "")
	if total != 0 {
		t.Errorf("%v tokens before the end", total)
	}
	state = done
	for _, node := range []int{1, 0, 1, 0} {
		ask(node, "GET", "/v1/responses/resp_1", "")
	}
	ask(0, "POST", "/v1/responses/resp_1/cancel", "")
	if total != 110 {
		t.Errorf("%v tokens are counted, want 110", total)
	}
}

// TestKeptAnswerCostsNoBudgetAnything: what it saves is said, and nothing is spent.
func TestKeptAnswerCostsNoBudgetAnything(t *testing.T) {
	conf := strings.Replace(priced(cacheConf("", "$UP")), "{", `{"budgets":[{"per":"route","limit":{"tokens":20},"window":"30d"},{"per":"model","limit":{"cost":1},"window":"30d"}],`, 1)
	b := newBench(t, conf, answer)
	body := strings.Replace(cold, "{", `{"max_tokens":8,`, 1)
	for i, want := range []string{"miss", "hit", "hit", "hit"} {
		resp, text := b.post(body)
		rec := b.record()
		if resp.StatusCode != 200 || at(rec, "meta.response_cache") != want {
			t.Fatalf("request %d: %d %s, %v", i, resp.StatusCode, text, rec)
		}
		if hit := want == "hit"; hit != (at(rec, "usage.saved.prompt_tokens") == 7.0) || hit != (at(rec, "usage.cost") == 0.0) || hit && at(rec, "meta.budgets") != nil {
			t.Errorf("request %d: %v", i, rec)
		}
		settled(t, "the budget has more than the one request", func() bool { return usedOf(b.instance, 0) == 9 })
	}
}
