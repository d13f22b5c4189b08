package plugin

import "testing"

// TestTraceHeadersGoToTheProviderOnlyOnRequest: they name the client's requests to a
// stranger.
func TestTraceHeadersGoToTheProviderOnlyOnRequest(t *testing.T) {
	headers := []string{"Traceparent", "Tracestate", "Baggage", "B3", "X-B3-Traceid", "Uber-Trace-Id", "X-Datadog-Trace-Id", "X-Cloud-Trace-Context"}
	var sent []string
	for _, name := range append(headers, "X-Ticket") {
		sent = append(sent, name, "7")
	}
	for more, want := range map[string]string{"": "", `"propagate_trace":false,`: "", `"propagate_trace":true,`: "7"} {
		conf := routeConf("llm/v1/chat", "openai", "m", "")
		b := newBench(t, "{"+more+conf[1:], answering(`{"choices":[]}`)).elsewhere()
		if resp, body := b.send("POST", "/chat", asJSON, `{"messages":[{"role":"user","content":"x"}]}`, sent...); resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
		r, _ := b.asked()
		for _, name := range headers {
			if got := r.Header.Get(name); got != want {
				t.Errorf("with %q %s is %q, want %q", more, name, got, want)
			}
		}
		if r.Header.Get("X-Ticket") != "7" {
			t.Errorf("with %q another header is lost", more)
		}
	}
}
