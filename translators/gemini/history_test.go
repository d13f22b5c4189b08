package gemini

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/target"
)

func TestOnlyGooglesSignaturesGoBackToGoogle(t *testing.T) {
	claudes, own := origin.Text(origin.Anthropic, origin.Google, "RXFD"), origin.Text(origin.Google, origin.Unknown, "Q3RH")
	for name, c := range map[string]struct{ model, in, want string }{
		"a thought":       {"gemini-2.5-pro", `{"text":"hm","thought":true,"thoughtSignature":"` + claudes + `"},{"text":"x"}`, `{"text":"x"}`},
		"a text":          {"gemini-2.5-pro", `{"text":"x","thoughtSignature":"` + claudes + `"}`, `{"text":"x"}`},
		"a call":          {"gemini-2.5-pro", `{"functionCall":{"name":"f"},"thoughtSignature":"` + claudes + `"}`, `{"functionCall":{"name":"f"}}`},
		"a call of 3":     {"gemini-3-pro", `{"functionCall":{"name":"f"},"thoughtSignature":"` + claudes + `"}`, `{"functionCall":{"name":"f"},"thoughtSignature":"skip_thought_signature_validator"}`},
		"snake case":      {"gemini-3-pro", `{"function_call":{"name":"f"},"thought_signature":"` + claudes + `"}`, `{"function_call":{"name":"f"},"thought_signature":"skip_thought_signature_validator"}`},
		"its own, marked": {"gemini-3-pro", `{"functionCall":{"name":"f"},"thoughtSignature":"` + own + `"}`, `{"functionCall":{"name":"f"},"thoughtSignature":"Q3RH"}`},
	} {
		in, want := `{"contents":[{"role":"model","parts":[`+c.in+`]}]}`, `{"contents":[{"role":"model","parts":[`+c.want+`]}]}`
		if got := string(ownSignatures(nil, &target.Target{Model: c.model}, []byte(in))); got != want {
			t.Errorf("%s: got %s", name, got)
		}
	}
	alone := `{"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"hm","thought":true,"thoughtSignature":"` + claudes + `"}]}]}`
	if got := string(ownSignatures(nil, &target.Target{}, []byte(alone))); strings.Contains(got, "model") {
		t.Errorf("a turn that was only a thought is left: %s", got)
	}
}

func TestGooglesOwnHistoryIsNotCopied(t *testing.T) {
	in := []byte(`{"contents":[{"role":"model","parts":[{"text":"hm","thought":true},{"functionCall":{"name":"f"},"thoughtSignature":"Q3RH"}]}]}`)
	if got := ownSignatures(nil, &target.Target{Model: "gemini-3-pro"}, in); &got[0] != &in[0] {
		t.Errorf("got %s", got)
	}
}
