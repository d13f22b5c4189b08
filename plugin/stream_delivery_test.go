package plugin

import (
	"io"
	"net/http"
	"testing"
)

// advanced is a plugin with one target of a route type, that may fail over.
func advanced(route, provider, options, balancer, more string) string {
	return `{` + more + `"balancer":{` + balancer + `},"targets":[{"route_type":"` + route + `","logging":{"log_statistics":true},
	 "model":{"provider":"` + provider + `","name":"m","options":{` + options + `}}}]}`
}

const failsOver = `"failover_criteria":["error","timeout","non_idempotent"]`

func TestStreamWithoutContentArrivesWhole(t *testing.T) {
	for _, c := range []struct{ name, conf, path, body, stream string }{
		{"a run of an assistant", advanced("llm/v1/assistants", "openai", "", failsOver, ""), "/threads/thread_1/runs", `{"assistant_id":"a","stream":true}`,
			"event: thread.run.created\ndata: {\"id\":\"run_1\"}\n\nevent: thread.run.completed\ndata: {\"id\":\"run_1\",\"status\":\"completed\"}\n\nevent: done\ndata: [DONE]\n\n"},
		{"a response that says nothing", advanced("llm/v1/responses", "openai", "", failsOver, ""), "/responses", `{"input":"x","stream":true}`,
			"event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\"}}\n\nevent: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"output\":[]}}\n\n"},
		{"a message that says nothing", advanced("llm/v1/chat", "anthropic", `"anthropic_version":"2023-06-01"`, failsOver, `"llm_format":"anthropic",`), "/v1/messages", `{"max_tokens":5,"messages":[{"role":"user","content":"x"}],"stream":true}`,
			"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"content\":[]}}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":1}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, c.conf, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				io.WriteString(w, c.stream)
			}).elsewhere()
			if resp, body := b.send("POST", c.path, asJSON, c.body); resp.StatusCode != 200 || body != c.stream || resp.Header.Get("Content-Type") != "text/event-stream" {
				t.Errorf("%d %v\n got %q\nwant %q", resp.StatusCode, resp.Header, body, c.stream)
			}
		})
	}
}
