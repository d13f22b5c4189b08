package bedrock

import (
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/growth"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

func TestNovaHasNoCachePointBehindAResult(t *testing.T) {
	const body = `{"toolConfig":{"tools":[{"toolSpec":{}}]},"system":[{"text":"s"}],"messages":[{"role":"user","content":[{"toolResult":{}}]}]}`
	for model, want := range map[string]int{"amazon.nova-pro-v1:0": 1, "anthropic.claude-sonnet-4-5-20250929-v1:0": 3} {
		m, _, ok := marksOf(&target.Target{Model: model})
		m.Least = 0
		if got, n, _ := markConverse([]byte(body), &m); !ok || n != want {
			t.Errorf("%s: %d cache points, want %d: %s", model, n, want, got)
		}
	}
	if _, _, ok := marksOf(&target.Target{Model: "meta.llama3-70b-instruct-v1:0"}); ok {
		t.Error("Llama caches what is marked")
	}
}

func TestTimeToMarkGrowsWithTheBody(t *testing.T) {
	m := chat.Marks{Tools: true, Results: true}
	growth.Check(t, func(body []byte) {
		if jsonedit.Valid(body) == nil {
			markConverse(body, &m)
		}
	}, []byte(`{"toolConfig":{"tools":[{"toolSpec":{}}]},"system":[{"text":"s"}],"messages":[{"role":"user","content":[{"text":"a"}]},{"role":"user","content":[{"text":"b"}]}]}`))
}
