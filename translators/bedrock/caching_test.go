package bedrock

import (
	"testing"

	"go-ai-proxy/translators/anthropic"
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

// A client of Converse that marks its prompt by habit gets its answer from models that
// cache nothing, and from Nova, which does not know marks everywhere.
func TestCachePointsStandOnlyWhereTheModelHasThem(t *testing.T) {
	const point = `{"cachePoint":{"type":"default"}}`
	const body = `{"system":[{"text":"s"},` + point + `],"messages":[{"role":"user","content":[{"text":"x"},` + point + `]},{"role":"user","content":[{"toolResult":{"toolUseId":"1"}},` + point + `]}],` +
		`"toolConfig":{"tools":[{"toolSpec":{"name":"a"}},` + point + `]}}`
	const none = `{"system":[{"text":"s"}],"messages":[{"role":"user","content":[{"text":"x"}]},{"role":"user","content":[{"toolResult":{"toolUseId":"1"}}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"a"}}]}}`
	const nova = `{"system":[{"text":"s"},` + point + `],"messages":[{"role":"user","content":[{"text":"x"},` + point + `]},{"role":"user","content":[{"toolResult":{"toolUseId":"1"}}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"a"}}]}}`
	for model, want := range map[string]string{
		"us.anthropic.claude-sonnet-4-5-20250929-v1:0": body, "arn:aws:bedrock:us-east-1:1:application-inference-profile/a": body,
		"us.amazon.nova-pro-v1:0": nova, "qwen.qwen3-coder-30b-a3b-v1:0": none, "us.meta.llama4-maverick-17b-instruct-v1:0": none,
		"arn:aws:bedrock:us-east-1::foundation-model/openai.gpt-oss-120b-1:0": none,
	} {
		if got := string(ownConverse(nil, &target.Target{Model: model}, []byte(body))); got != want {
			t.Errorf("%s is sent %s\nwant %s", model, got, want)
		}
	}
	if got := string(withoutPoints([]byte(body), "")); got != none {
		t.Errorf("without all of them: %s", got)
	}
	for model, want := range map[string]anthropic.Keeps{
		"anthropic.claude-3-haiku-20240307-v1:0": anthropic.KeepsNothing, "us.anthropic.claude-sonnet-4-20250514-v1:0": anthropic.KeepsMinutes,
		"us.anthropic.claude-sonnet-4-5-20250929-v1:0": anthropic.KeepsHour, "arn:aws:bedrock:us-east-1:1:application-inference-profile/a": anthropic.KeepsHour,
	} {
		if got := claudeHere.Keeps(model); got != want {
			t.Errorf("%s keeps prompts as %d, want %d", model, got, want)
		}
	}
}
