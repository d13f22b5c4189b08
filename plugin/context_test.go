package plugin

import (
	"net/http"
	"strings"
	"testing"
)

// Codex compacts a conversation at the code, in a stream; other clients at the code.
func TestTooLongConversationIsNamedAsTheClientKnowsIt(t *testing.T) {
	b := newBench(t, routeConf("llm/v1/responses", "anthropic", "m", `"upstream_url":"$UP","anthropic_version":"2023-06-01"`), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(400)
		_, _ = w.Write([]byte(`{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 208310 tokens > 200000 maximum"}}`))
	})
	resp, body := b.post(`{"input":"x"}`)
	if resp.StatusCode != 400 || !strings.Contains(body, `"code":"context_length_exceeded"`) {
		t.Errorf("whole: %d %s", resp.StatusCode, body)
	}
	_ = b.record()
	resp, body = b.post(`{"input":"x","stream":true}`)
	if resp.StatusCode != 200 || !strings.Contains(body, "event: response.created") || !strings.Contains(body, `"type":"response.failed"`) ||
		!strings.Contains(body, `"error":{"code":"context_length_exceeded","message":"prompt is too long: 208310 tokens > 200000 maximum"}`) {
		t.Errorf("streamed: %d %s", resp.StatusCode, body)
	}
	if rec := b.record(); at(rec, "meta.outcome") != "failed" {
		t.Errorf("record %v", rec)
	}
}
