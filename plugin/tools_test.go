package plugin

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// The target has neither of the two: the answer and the record say so.
func TestToolsThatTheTargetDoesNotHaveAreNamedInAHeaderAndTheRecord(t *testing.T) {
	b := newBench(t, routeConf("llm/v1/responses", "mistral", "m", `"mistral_format":"openai","upstream_url":"$UP"`), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}`))
	})
	resp, body := b.post(`{"input":"hello","tools":[{"type":"web_search_2025_08_26"},{"type":"image_generation"},{"type":"function","name":"f"}]}`)
	if got := resp.Header.Get("X-Kong-Llm-Tools-Left-Out"); resp.StatusCode != 200 || got != "web_search_2025_08_26, image_generation" {
		t.Fatalf("%d %q %s", resp.StatusCode, got, body)
	}
	if sent := b.upstreamBodies()[0]; strings.Contains(sent, "web_search") || !strings.Contains(sent, `"f"`) {
		t.Errorf("sent %s", sent)
	}
	rec := <-b.records
	if left := rec.Data().LeftOut; !slices.Equal(left, []string{"web_search_2025_08_26", "image_generation"}) {
		t.Errorf("the record says %q", left)
	}
	resp, body = b.post(`{"input":"hello","tools":[{"type":"web_search"},{"type":"function","name":"f"}],"tool_choice":{"type":"web_search"}}`)
	if resp.StatusCode != 400 || !strings.Contains(body, "web_search") || len(b.upstreamBodies()) != 1 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	resp, _ = b.post(`{"input":"hello"}`)
	if got := resp.Header["X-Kong-Llm-Tools-Left-Out"]; got != nil {
		t.Errorf("nothing was left out, and the header says %q", got)
	}
}
