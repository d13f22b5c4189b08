package health

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go-ai-proxy/plugin/lines/linestest"

	"github.com/rs/zerolog"
)

// told is a target whose results are given, and what was told of them.
type told struct {
	down  atomic.Bool
	asked atomic.Int32
	fails atomic.Bool
	alive atomic.Bool
}

func (x *told) target(key string) Target {
	return Target{
		Key: key, Interval: 20 * time.Millisecond, Timeout: time.Second, Failures: 3, Successes: 2,
		Probe: func(context.Context) error {
			fails := x.fails.Load() // first: whoever sets it knows of all that were asked before
			x.asked.Add(1)
			if fails {
				return errors.New("refused")
			}
			return nil
		},
		Alive: func(time.Time) bool { return x.alive.Load() },
		Tell:  func(_ bool, _ error, down bool) { x.down.Store(down) },
	}
}

func soon(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

func TestTargetIsDownAfterFailuresInARowAndUpAfterSuccesses(t *testing.T) {
	p, x := New(zerolog.Nop()), &told{}
	stop := p.Watch(x.target("a"))
	soon(t, "it is not asked", func() bool { return x.asked.Load() >= 2 })
	if x.down.Load() {
		t.Error("it is down without a failure")
	}
	n := x.asked.Load()
	x.fails.Store(true)
	soon(t, "it is not down", x.down.Load)
	if got := x.asked.Load() - n; got < 3 {
		t.Errorf("down after %d failures", got)
	}
	x.fails.Store(false)
	soon(t, "it is not up again", func() bool { return !x.down.Load() })
	stop()
	p.Close()
	n = x.asked.Load()
	if time.Sleep(60 * time.Millisecond); x.asked.Load() != n {
		t.Error("it is asked after the end")
	}
}

func TestNobodyIsAskedWhatTrafficShows(t *testing.T) {
	p, x := New(zerolog.Nop()), &told{}
	x.alive.Store(true)
	defer p.Watch(x.target("a"))()
	defer p.Close()
	if time.Sleep(100 * time.Millisecond); x.asked.Load() != 0 {
		t.Errorf("asked %d times", x.asked.Load())
	}
}

func TestLaterConfigurationTakesATargetOver(t *testing.T) {
	p, old, later := New(zerolog.Nop()), &told{}, &told{}
	old.fails.Store(true)
	later.fails.Store(true)
	stopOld := p.Watch(old.target("a"))
	soon(t, "the old one is not down", old.down.Load)
	stopLater := p.Watch(later.target("a"))
	soon(t, "the later one is not down", later.down.Load)
	n := old.asked.Load()
	if time.Sleep(60 * time.Millisecond); old.asked.Load() > n+1 {
		t.Error("the target is asked twice")
	}
	if stopOld(); !old.down.Load() {
		t.Error("the old one still has a say")
	}
	if stopLater(); later.down.Load() {
		t.Error("what nobody watches stays down")
	}
	p.Close()
}

func TestPanicOfAProbeIsContained(t *testing.T) {
	var log linestest.Buffer
	p, x := New(zerolog.New(&log)), &told{}
	target := x.target("a")
	target.Probe = func(context.Context) error { panic(io.ErrUnexpectedEOF) }
	p.Watch(target)
	defer p.Close()
	soon(t, "the panic is not in the log", func() bool { return strings.Contains(log.String(), "panic in a health check") })
}
