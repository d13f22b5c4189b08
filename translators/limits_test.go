package translators

import (
	"slices"
	"strings"
	"testing"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

func TestNoMoreStopSequencesAreSentThanTheAPITakes(t *testing.T) {
	const body = `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],"stop_sequences":["a","","b","\n","d","e","f"]}`
	for _, c := range []struct {
		to, model, want string
		told            bool
	}{
		{"openai", "gpt-4o", `"stop":["a","b","\n","d"]`, true},
		{"azure", "gpt-4o", `"stop":["a","b","\n","d"]`, true},
		{"groq", "llama-3.3-70b-versatile", `"stop":["a","b","\n","d"]`, true},
		{"openrouter", "x/y", `"stop":["a","b","\n","d"]`, true},
		{"deepseek", "deepseek-v4-pro", `"stop":["a","b","\n","d","e","f"]`, false},
		{"gemini", "gemini-2.5-pro", `"stopSequences":["a","b","\n","d","e"]`, true},
		{"cohere", "command-a-03-2025", `"stop_sequences":["a","b","\n","d","e"]`, true},
		{"mistral", "mistral-large-latest", `"stop":["a","b","\n","d","e","f"]`, false},
		{"openai", "o3", `"messages"`, false}, // has no stop
	} {
		if got := written(t, anthropic.Dialect, c.to, c.model, body); !strings.Contains(got, c.want) {
			t.Errorf("%s: no %s in %s", c.to, c.want, got)
		}
		r, err := chat.ParseRequest(anthropic.Dialect, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		var caveats []string
		if f := Lookup(c.to).Operations[route.Chat].Caveats; f != nil {
			caveats = f(&target.Target{Provider: c.to, Model: c.model, Options: &target.Options{}}, r)
		}
		told := slices.ContainsFunc(caveats, func(s string) bool { return strings.HasPrefix(s, "stop: the first ") })
		if told != c.told {
			t.Errorf("%s: the record has %q", c.to, caveats)
		}
	}
}

func TestSettingsOutsideOfWhatTheAPITakesAreFitted(t *testing.T) {
	for _, c := range []struct {
		client               chat.Dialect
		to, body, has, lacks string
	}{
		{openai.Chat, "gemini", `"top_k":0,"temperature":1`, `"temperature":1`, "topK"},
		{openai.Chat, "gemini", `"top_k":3`, `"topK":3`, "-"},
		{openai.Chat, "cohere", `"top_k":1000`, `"k":500`, "-"},
		{anthropic.Dialect, "mistral", `"temperature":0,"top_p":0.9`, `"temperature":0`, "top_p"},
		{anthropic.Dialect, "mistral", `"temperature":0.5,"top_p":0.9`, `"top_p":0.9`, "-"},
		{anthropic.Dialect, "mistral", `"temperature":1.7`, `"temperature":1.5`, "1.7"},
	} {
		body := `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],` + c.body + `}`
		if got := written(t, c.client, c.to, "m", body); !strings.Contains(got, c.has) || strings.Contains(got, c.lacks) {
			t.Errorf("%s: want %s, and no %s in %s", c.to, c.has, c.lacks, got)
		}
	}
}

func TestMistralGetsAnAnswerToGoOnWithMarkedAndNoneOfNothing(t *testing.T) {
	for _, c := range []struct{ body, has, lacks string }{
		{`{"role":"user","content":"x"},{"role":"assistant","content":"{"}`, `{"role":"assistant","content":"{","prefix":true}`, "nothing"},
		{`{"role":"user","content":"x"},{"role":"assistant","content":[]},{"role":"user","content":"y"}`, `{"role":"user","content":"x"},{"role":"user","content":"y"}`, "assistant"},
		{`{"role":"user","content":"x"},{"role":"assistant","content":"a"},{"role":"user","content":"y"}`, `"a"}`, "prefix"},
	} {
		body := `{"model":"m","max_tokens":9,"messages":[` + c.body + `]}`
		if got := written(t, anthropic.Dialect, "mistral", "mistral-large-latest", body); !strings.Contains(got, c.has) || strings.Contains(got, c.lacks) {
			t.Errorf("want %s, and no %s in %s", c.has, c.lacks, got)
		}
		if got := written(t, anthropic.Dialect, "together", "mistralai/Mistral-Small-24B", body); strings.Contains(got, "prefix") {
			t.Errorf("together does not know the mark: %s", got)
		}
	}
}
