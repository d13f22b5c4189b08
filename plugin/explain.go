package plugin

import (
	"fmt"
	"net/http"
	"strings"

	"go-ai-proxy/plugin/record"
)

// Headers that answer a request with Kong-Debug: which target, chosen how, and
// what was tried. Names and numbers only, nothing of the configuration's secrets.
const (
	headerTarget    = "X-Kong-Llm-Target"
	headerAlgorithm = "X-Kong-Llm-Algorithm"
	headerAttempts  = "X-Kong-Llm-Attempts"
	headerReason    = "X-Kong-Llm-Reason"
)

// debugged says whether the client wants to know why, and may.
func (q *request) debugged() bool {
	return q.instance.config.Debug && len(q.in.Header["Kong-Debug"]) > 0
}

// explain adds the debug headers to an answer.
func (q *request) explain(h http.Header) {
	if !q.debugged() || q.instance.balancer == nil {
		return
	}
	d := q.record.Data()
	var attempts []string
	for i := range d.Tried {
		t := &d.Tried[i]
		attempts = append(attempts, fmt.Sprintf("%s/%s=%s", t.Provider, t.Model, t.Outcome))
	}
	h[headerAlgorithm] = []string{d.Algorithm}
	if len(attempts) > 0 {
		last := &d.Tried[len(d.Tried)-1]
		h[headerTarget] = []string{headerValue(last.Provider + "/" + last.Model)}
		h[headerAttempts] = []string{headerValue(strings.Join(attempts, ", "))}
	}
	if d.Reason != "" {
		h[headerReason] = []string{headerValue(d.Reason)}
	}
}

// headerValue is s without what cannot stand in a header.
func headerValue(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, s)
}

// reasoned notes why the balancer chose target i of those available.
func (q *request) reasoned(i, available int) {
	t := q.instance.targets[i]
	reason := fmt.Sprintf("%d of %d targets available, weight %d", available, len(q.instance.targets), max(t.Weight, 1))
	if q.choice != "" {
		reason = q.choice + "; " + reason
	}
	q.record.Update(func(d *record.Data) { d.Reason = reason })
}
