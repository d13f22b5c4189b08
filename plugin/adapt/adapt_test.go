package adapt

import (
	"fmt"
	"testing"
	"time"

	"go-ai-proxy/translators/provider"
)

var rows = []provider.Refusal{
	{Status: 400, Words: []string{"does not support thinking"}, Without: provider.WithoutMember("think")},
	{Words: []string{"no tools"}, Without: provider.WithoutMember("tools")},
}

const (
	body    = `{"think":true,"x":1}`
	less    = `{"x":1}`
	refusal = `{"error":"\"m\" does not support thinking"}`
)

func TestARefusalIsUnderstoodAndRemembered(t *testing.T) {
	var m Memory
	now := time.Unix(1, 0)
	if m.Used() {
		t.Error("there is something to recall at once")
	}
	if got := m.Lessen(rows, "m", []byte(body), 400, []byte(refusal), now); string(got) != less {
		t.Fatalf("the request becomes %s", got)
	}
	for _, c := range []struct {
		model string
		after time.Duration
		want  string
	}{{"m", time.Minute, less}, {"other", time.Minute, body}, {"m", 2 * lasts, body}} {
		if got := m.Recall(rows, c.model, []byte(body), now.Add(c.after)); string(got) != c.want || !m.Used() {
			t.Errorf("%s, %v later: the request becomes %s", c.model, c.after, got)
		}
	}
}

func TestWhatIsNoRefusalChangesNothing(t *testing.T) {
	for _, c := range []struct {
		name, body, answer string
		status             int
	}{
		{"another error", body, `{"error":"model not found"}`, 400},
		{"another status", body, refusal, 401},
		{"a provider that is out of order", body, refusal, 500},
		{"nothing of the kind in the request", less, refusal, 400},
		{"no JSON", body, "<html>", 400},
	} {
		var m Memory
		if got := m.Lessen(rows, "m", []byte(c.body), c.status, []byte(c.answer), time.Now()); got != nil || m.Used() {
			t.Errorf("%s: the request becomes %s", c.name, got)
		}
	}
}

// Names of models may come from clients.
func TestTheMemoryIsLimited(t *testing.T) {
	var m Memory
	now := time.Unix(1, 0)
	for i := range 2 * most {
		m.Lessen(rows, fmt.Sprint(i), []byte(body), 400, []byte(refusal), now)
	}
	if len(m.until) > most {
		t.Errorf("%d refusals are kept", len(m.until))
	}
	m.Lessen(rows, "new", []byte(body), 400, []byte(refusal), now.Add(2*lasts))
	if len(m.until) != 1 {
		t.Errorf("%d refusals are kept after all others have ended", len(m.until))
	}
}
