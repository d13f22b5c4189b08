package gemini

import (
	"testing"

	"go-ai-proxy/translators/chat"
)

func TestPiecesOfAStreamComeBackAsWhatWasSaid(t *testing.T) {
	for name, contents := range map[string]string{
		"in one turn": `{"role":"model","parts":[{"text":"I \"th","thought":true},{"text":"ink\".","thought":true,"thoughtSignature":"Q3RH"},{"text":"Hel"},{"text":"lo"},{"functionCall":{"id":"c","name":"f"}}]}`,
		"in a turn each": `{"role":"model","parts":[{"text":"I \"th","thought":true}]},{"role":"model","parts":[{"text":"ink\".","thought":true,"thoughtSignature":"Q3RH"}]},` +
			`{"role":"model","parts":[{"text":"Hel"}]},{"role":"model","parts":[{"text":"lo"},{"functionCall":{"id":"c","name":"f"}}]}`,
	} {
		req, err := chat.ParseRequest(Dialect, []byte(`{"contents":[{"role":"user","parts":[{"text":"a"},{"text":"b"}]},`+contents+`,{"role":"user","parts":[{"functionResponse":{"id":"c","name":"f","response":{}}}]}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if len(req.Messages) != 3 || len(req.Messages[0].Parts) != 2 {
			t.Fatalf("%s: %+v", name, req.Messages)
		}
		parts := req.Messages[1].Parts
		if len(parts) != 3 || parts[0].Kind != chat.Thinking || parts[0].Text.String() != `I "think".` || parts[0].Signature != "Q3RH" ||
			parts[1].Text.String() != "Hello" || parts[2].Kind != chat.ToolCall {
			t.Errorf("%s: %+v", name, parts)
		}
	}
}

func TestThoughtsWithASignatureEachStayApart(t *testing.T) {
	req, err := chat.ParseRequest(Dialect, []byte(`{"contents":[{"role":"model","parts":[{"text":"a","thought":true,"thoughtSignature":"QQ"},{"text":"b","thought":true,"thoughtSignature":"Qg"},{"text":"x","thoughtSignature":"Qw"},{"text":"y"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if parts := req.Messages[0].Parts; len(parts) != 4 {
		t.Errorf("%+v", parts)
	}
}
