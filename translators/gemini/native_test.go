package gemini

import (
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// setModel changes models and nothing else, and leaves valid JSON valid.
func FuzzSetModel(f *testing.F) {
	f.Add([]byte(`{"model":"models/a","content":{"parts":[]}}`))
	f.Add([]byte(`{"requests":[{"model":"models/a","x":1.50},{"y":[]},3]}`))
	f.Add([]byte(`{"requests":{"model":1}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		defer workload.Linear(t, len(body))()
		if _, err := jsonedit.Object(body, nil); err != nil {
			return
		}
		out := setModel(body, "m")
		if _, err := jsonedit.Object(out, nil); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if again := setModel(out, "m"); string(again) != string(out) {
			t.Errorf("%s becomes %s", out, again)
		}
	})
}

func TestGemmaIsAskedInWordsByClientsOfItsOwnFormatToo(t *testing.T) {
	const body = `{"systemInstruction":{"role":"model","parts":[{"text":"Be brief."}]},"contents":[{"role":"user","parts":[{"text":"hello"}]}],` +
		`"generationConfig":{"temperature":0.5,"thinkingConfig":{"includeThoughts":true,"thinkingBudget":2000}}}`
	const want = `{"contents":[{"role":"user","parts":[{"text":"Be brief."},{"text":"hello"}]}],"generationConfig":{"temperature":0.5}}`
	for _, model := range []string{"gemma-3-27b-it", "gemma-3n-e4b-it", "models/gemma-2-9b-it"} {
		at := &target.Target{Provider: "gemini", Model: model}
		op := variant(at).Find(provider.GeminiGenerate, route.Chat)
		if op.Rephrase == nil || !op.Rephrase(at, nil) {
			t.Fatalf("%s: the client's body is forwarded as it is", model)
		}
		req, err := chat.ParseRequest(Dialect, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := op.AppendRequest(nil, at, req); err != nil || string(got) != want {
			t.Errorf("%s is sent %s %v\nwant %s", model, got, err, want)
		}
		req.Tools = []chat.Tool{{Name: "look"}}
		if _, err := op.AppendRequest(nil, at, req); err == nil {
			t.Errorf("%s is offered functions, which it refuses", model)
		}
	}
	for _, model := range []string{"gemini-2.5-flash", "gemma-4-31b-it"} {
		if op := variant(&target.Target{Model: model}).Find(provider.GeminiGenerate, route.Chat); op.Rephrase != nil {
			t.Errorf("%s is not sent the client's own body", model)
		}
	}
}
