// Package adapt makes a request again without what its target has refused by name, and
// remembers that for the requests to come. Start with Memory. What refusals there are, and
// what they are about, is in the tables of the providers: provider.Refusal.
package adapt

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/provider"
)

const (
	// lasts is how long a refusal is remembered: a server may get another model of the
	// same name.
	lasts = time.Hour
	// most is how many refusals are remembered: names of models may come from clients.
	most = 1000
	// longest is how much of an error is read, in bytes.
	longest = 64 << 10
)

// Memory is what the models of one target have refused. The zero Memory is ready to use,
// by several goroutines.
type Memory struct {
	used  atomic.Bool
	mu    sync.Mutex
	until map[refused]time.Time
}

type refused struct {
	model string
	row   *provider.Refusal
}

// Used reports whether there is anything to recall.
func (m *Memory) Used() bool { return m.used.Load() }

// Recall returns the valid body without what the model has refused lately, and what that
// is; body itself if there is no such thing in it.
func (m *Memory) Recall(rows []provider.Refusal, model string, body []byte, now time.Time) (less []byte, what []string) {
	less = body
	for i := range rows {
		if !m.knows(refused{model, &rows[i]}, now) {
			continue
		}
		if shorter := rows[i].Without(less, ""); len(shorter) < len(less) {
			less, what = shorter, append(what, rows[i].What)
		}
	}
	return less, what
}

func (m *Memory) knows(r refused, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return now.Before(m.until[r])
}

// Lessen returns the valid body without what the answer, an error with that status, says
// that the model does not take, and what that is; nil if it says nothing of the kind.
func (m *Memory) Lessen(rows []provider.Refusal, model string, body []byte, status int, answer []byte, now time.Time) (less []byte, what string) {
	if len(rows) == 0 || len(answer) > longest {
		return nil, ""
	}
	e := chat.ErrorFrom(status, answer)
	for i := range rows {
		if !rows[i].Is(e) {
			continue
		}
		if less := rows[i].Without(body, e.Message); len(less) < len(body) {
			if len(rows[i].Without(body, "")) < len(body) { // which is not for this body alone
				m.keep(refused{model, &rows[i]}, now)
			}
			return less, rows[i].What
		}
	}
	return nil, ""
}

func (m *Memory) keep(r refused, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.until == nil {
		m.until = map[refused]time.Time{}
	}
	if len(m.until) >= most {
		maps.DeleteFunc(m.until, func(_ refused, until time.Time) bool { return !now.Before(until) })
	}
	if len(m.until) < most {
		m.until[r] = now.Add(lasts)
		m.used.Store(true)
	}
}
