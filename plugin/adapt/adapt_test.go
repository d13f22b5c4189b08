package adapt

import (
	"fmt"
	"testing"
	"time"

	"go-ai-proxy/translators/provider"
)

var rows = []provider.Refusal{
	{Status: 400, Words: []string{"does not support thinking"}, What: "think", Without: provider.WithoutMember("think")},
	{Words: []string{"no tools"}, What: "tools", Without: provider.WithoutMember("tools")},
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
	if got, what := m.Lessen(rows, "m", []byte(body), 400, []byte(refusal), now); string(got) != less || what != "think" {
		t.Fatalf("the request becomes %s, without %s", got, what)
	}
	for _, c := range []struct {
		model string
		after time.Duration
		want  string
	}{{"m", time.Minute, less}, {"other", time.Minute, body}, {"m", 2 * lasts, body}} {
		got, what := m.Recall(rows, c.model, []byte(body), now.Add(c.after))
		if string(got) != c.want || !m.Used() || (len(what) > 0) != (c.want == less) {
			t.Errorf("%s, %v later: the request becomes %s, without %v", c.model, c.after, got, what)
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
		if got, _ := m.Lessen(rows, "m", []byte(c.body), c.status, []byte(c.answer), time.Now()); got != nil || m.Used() {
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

func TestWhatOnlyTheErrorNamesIsNotRemembered(t *testing.T) {
	named := []provider.Refusal{{Status: 400, What: "x", Without: func(body []byte, message string) []byte {
		if message == "" {
			return body
		}
		return []byte(`{}`)
	}}}
	var m Memory
	if got, _ := m.Lessen(named, "m", []byte(body), 400, []byte(refusal), time.Now()); string(got) != `{}` || m.Used() {
		t.Errorf("the request becomes %s, remembered %v", got, m.Used())
	}
}
