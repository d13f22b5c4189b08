package gemini

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
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
		if got := string(ownHistory(nil, &target.Target{Model: c.model}, []byte(in))); got != want {
			t.Errorf("%s: got %s", name, got)
		}
	}
	alone := `{"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"hm","thought":true,"thoughtSignature":"` + claudes + `"}]}]}`
	if got := string(ownHistory(nil, &target.Target{Options: &target.Options{}}, []byte(alone))); strings.Contains(got, "model") {
		t.Errorf("a turn that was only a thought is left: %s", got)
	}
}

// A conversation that another maker's model began has calls without signatures, which
// Gemini 3 refuses, and ids, which Vertex does.
func TestCallsOfOtherModelsAreTakenByGoogle(t *testing.T) {
	vertex := &target.Options{Gemini: target.Gemini{APIEndpoint: "us-central1-aiplatform.googleapis.com"}}
	const turn = `{"contents":[{"role":"model","parts":[{"text":"x"},{"functionCall":{"id":"c1","name":"f"}%s},{"functionCall":{"id":"c2","name":"f"}}]},{"role":"user","parts":[{"functionResponse":{"id":"c1","name":"f","response":{}}}]}]}`
	const stands = `,"thoughtSignature":"skip_thought_signature_validator"`
	without := strings.NewReplacer(`"id":"c1",`, "", `"id":"c2",`, "")
	for name, c := range map[string]struct {
		model   string
		options *target.Options
		want    string
	}{
		"Gemini 3":           {"gemini-3-pro", &target.Options{}, strings.Replace(turn, "%s", stands, 1)},
		"Gemini 2.5":         {"gemini-2.5-pro", &target.Options{}, strings.Replace(turn, "%s", "", 1)},
		"Gemini 3, Vertex":   {"gemini-3-pro", vertex, without.Replace(strings.Replace(turn, "%s", stands, 1))},
		"Gemini 2.5, Vertex": {"gemini-2.5-pro", vertex, without.Replace(strings.Replace(turn, "%s", "", 1))},
	} {
		in := strings.Replace(turn, "%s", "", 1)
		if got := string(ownHistory(nil, &target.Target{Model: c.model, Options: c.options}, []byte(in))); got != c.want {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

func TestGooglesOwnHistoryIsNotCopied(t *testing.T) {
	in := []byte(`{"contents":[{"role":"model","parts":[{"text":"hm","thought":true},{"functionCall":{"name":"f"},"thoughtSignature":"Q3RH"}]}]}`)
	if got := ownHistory(nil, &target.Target{Model: "gemini-3-pro", Options: &target.Options{}}, in); &got[0] != &in[0] {
		t.Errorf("got %s", got)
	}
}

func TestARefusedSignatureIsSentToNoGeminiAgain(t *testing.T) {
	row := &corrupted[0]
	for _, message := range []string{"Corrupted thought signature.", "Invalid thought signature."} {
		if !row.Is(&chat.Error{Status: 400, Message: message}) {
			t.Errorf("%q is not recognized", message)
		}
	}
	const body = `{"contents":[{"role":"model","parts":[{"text":"a","thought":true,"thoughtSignature":"x"},{"text":"b","thought_signature":"x"},{"functionCall":{"name":"f"},"thoughtSignature":"x"},{"functionCall":{"name":"g"}}]}]}`
	const want = `{"contents":[{"role":"model","parts":[{"text":"b"},{"functionCall":{"name":"f"},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"name":"g"}}]}]}`
	if got := string(row.Without([]byte(body), "x")); got != want {
		t.Errorf("became %s\nwant   %s", got, want)
	}
	if got := string(row.Without([]byte(body), "")); got != body {
		t.Errorf("a later conversation became %s", got)
	}
}
