package gemini

import (
	"testing"

	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/jsonedit"
)

// SetModel changes models and nothing else, and leaves valid JSON valid.
func FuzzSetModel(f *testing.F) {
	f.Add([]byte(`{"model":"models/a","content":{"parts":[]}}`))
	f.Add([]byte(`{"requests":[{"model":"models/a","x":1.50},{"y":[]},3]}`))
	f.Add([]byte(`{"requests":{"model":1}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		defer workload.Linear(t, len(body))()
		if _, err := jsonedit.Object(body, nil); err != nil {
			return
		}
		out := SetModel(body, "m")
		if _, err := jsonedit.Object(out, nil); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if again := SetModel(out, "m"); string(again) != string(out) {
			t.Errorf("%s becomes %s", out, again)
		}
	})
}
