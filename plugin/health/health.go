// Package health asks targets from time to time whether they live, so that a dead one is
// known before a client meets it. It knows when to ask and what answers mean; how a
// target is asked, and who is told, is given to it. Start with Prober.Watch.
package health

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"go-ai-proxy/plugin/wire"

	"github.com/rs/zerolog"
)

// Target is a target that is asked.
type Target struct {
	Key      string // identifies the target across configurations
	Interval time.Duration
	Timeout  time.Duration
	// Failures in a row make a target down, Successes in a row bring it up again.
	Failures, Successes int
	// Probe asks once. A nil error is a success.
	Probe func(ctx context.Context) error
	// Alive says whether a request of a client has succeeded since then.
	Alive func(since time.Time) bool
	// Tell is called in each interval with the result of Probe, if it was asked, and
	// whether the target is down now. The last call, when the target is no longer
	// watched, has neither.
	Tell func(asked bool, err error, down bool)
}

// Prober asks targets, each of them once however many configurations have it. It is
// safe for concurrent use.
type Prober struct {
	log     zerolog.Logger
	mu      sync.Mutex
	watched map[string]*watch
	running sync.WaitGroup
}

// watch is the asking of one target.
type watch struct {
	Target
	prober *Prober
	end    context.CancelFunc
	down   bool
	inRow  int // results that speak against down
}

// New returns a Prober that asks nobody yet.
func New(log zerolog.Logger) *Prober { return &Prober{log: log, watched: map[string]*watch{}} }

// Watch has t asked until stop is called. A later Watch of the same key takes over, and
// the earlier stop has no effect.
func (p *Prober) Watch(t Target) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watch{Target: t, prober: p, end: cancel}
	p.mu.Lock()
	if old := p.watched[t.Key]; old != nil {
		old.end()
	}
	p.watched[t.Key] = w
	p.running.Add(1)
	p.mu.Unlock()
	go func() {
		defer p.running.Done()
		defer w.recover()
		w.run(ctx)
	}()
	return func() {
		cancel()
		p.mu.Lock()
		last := p.watched[t.Key] == w
		if last {
			delete(p.watched, t.Key)
		}
		p.mu.Unlock()
		if last {
			t.Tell(false, nil, false)
		}
	}
}

// Close ends all asking and waits for it.
func (p *Prober) Close() {
	p.mu.Lock()
	for _, w := range p.watched {
		w.end()
	}
	p.mu.Unlock()
	p.running.Wait()
}

func (w *watch) recover() {
	if v := recover(); v != nil {
		w.prober.log.Error().Interface("panic", v).Msg("panic in a health check: the target is no longer checked")
	}
}

// run asks soon after the start, and then once in each interval, give or take a fifth
// of it, so that many nodes do not ask at the same time. What a client's request has
// shown is not asked.
func (w *watch) run(ctx context.Context) {
	timer := time.NewTimer(rand.N(w.Interval/10 + 1))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if w.Alive(time.Now().Add(-w.Interval)) {
			w.count(ctx, false, nil)
		} else {
			probe, cancel := context.WithTimeout(ctx, w.Timeout)
			err := w.Probe(probe)
			cancel()
			w.count(ctx, true, err)
		}
		timer.Reset(w.Interval*4/5 + rand.N(w.Interval*2/5+1))
	}
}

// count takes a result into account.
func (w *watch) count(ctx context.Context, asked bool, err error) {
	if ctx.Err() != nil {
		return
	}
	if (err != nil) == w.down {
		w.inRow = 0
	} else if w.inRow++; !w.down && w.inRow >= w.Failures || w.down && w.inRow >= w.Successes {
		w.down, w.inRow = !w.down, 0
	}
	w.Tell(asked, err, w.down)
}

// maxAnswer is how much of an answer to a check is read, in bytes.
const maxAnswer = 64 << 10

// Judge closes a target's answer to a check, and says whether the target lives: whatever
// it answers shows that it does, but 404 and 5xx.
func Judge(answer *wire.Answer) error {
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer) // so that the connection can be kept
	if answer.Status >= 500 || answer.Status == http.StatusNotFound {
		return fmt.Errorf("the target answered %d", answer.Status)
	}
	return nil
}
