package gemini

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
)

// An index that a provider makes up costs no memory, and no panic.
func TestCandidateIndexesAreLimited(t *testing.T) {
	to := onPublic("gemini-2.5-flash")
	for index, want := range map[string]int{`"index":0,`: 0, `"index":128,`: 128, `"index":129,`: 128, `"index":1000000000,`: 128, `"index":1e9,`: 0, `"index":-1,`: 0, `"index":"x",`: 0, "": 0} {
		body := []byte(`{"candidates":[{` + index + `"content":{"parts":[{"text":"a"},{"functionCall":{"name":"f"}}]},"finishReason":"STOP"}]}`)
		resp, err := Generate.ParseResponse(&to, body)
		if err != nil {
			t.Fatal(err)
		}
		if got := resp.Choices[0].Index; got != want {
			t.Errorf("%s: choice %d, want %d", index, got, want)
		}
		deltas, err := Generate.NewStream(&to).Next(frame.Event{Data: body})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range deltas {
			if d.Kind != chat.Start && d.Choice != want {
				t.Errorf("%s: delta %d of choice %d, want %d", index, d.Kind, d.Choice, want)
			}
		}
	}
}

func TestEncoderDropsChoicesBeyondTheLimit(t *testing.T) {
	for choice, written := range map[int]bool{0: true, maxCandidates: true, maxCandidates + 1: false, 1e9: false, -1: false} {
		e := Dialect.NewEncoder(chat.Meta{ID: "x", Model: "m"})
		var out []byte
		for _, d := range []chat.Delta{{Kind: chat.Start}, {Kind: chat.TextDelta, Choice: choice, Text: []byte("said")}} {
			out = e.Append(out, &d)
		}
		if got := strings.Contains(string(out), "said"); got != written {
			t.Errorf("choice %d: written %v, want %v", choice, got, written)
		}
	}
}
