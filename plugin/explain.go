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
func (p *reply) debugged() bool {
	return p.instance.config.Debug && len(p.request.in.Header["Kong-Debug"]) > 0
}

// explain adds the debug headers to an answer.
func (p *reply) explain(h http.Header) {
	if !p.debugged() || p.instance.balancer == nil {
		return
	}
	d := p.record.Data()
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
func (b *balancing) reasoned(i, available int) {
	t := b.exchange.instance.targets[i]
	reason := fmt.Sprintf("%d of %d targets available, weight %d", available, len(b.exchange.instance.targets), max(t.Weight, 1))
	if b.choice != "" {
		reason = b.choice + "; " + reason
	}
	b.exchange.record.Update(func(d *record.Data) { d.Reason = reason })
}
