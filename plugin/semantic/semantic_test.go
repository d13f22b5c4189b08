package semantic

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go-ai-proxy/test/lateness"
	"go-ai-proxy/test/leaks"

	"github.com/rs/zerolog"
)

func TestMain(m *testing.M) { leaks.VerifyTestMain(m) }

// model is an embedding model of three dimensions: how much a text speaks of
// code, of poems and of anything else.
type model struct {
	calls  atomic.Int32
	broken atomic.Bool
	slow   time.Duration
}

var errModel = errors.New("the embedding model answered with status 500")

func (m *model) embed(ctx context.Context, text string) ([]float32, error) {
	m.calls.Add(1)
	select {
	case <-time.After(m.slow):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if m.broken.Load() {
		return nil, errModel
	}
	v := []float32{.01, .01, .01}
	for _, word := range strings.Fields(text) {
		switch word {
		case "code", "function", "golang":
			v[0]++
		case "poem", "rhyme", "verse":
			v[1]++
		default:
			v[2] += .2
		}
	}
	return v, nil
}

func (m *model) options(targets ...Target) Options {
	return Options{
		Targets: targets, Model: "test/embed", Space: "s", Dimensions: 3, Metric: Cosine, Embed: m.embed,
		Cache: NewCache(1000, time.Minute), Timeout: 20 * time.Second, Log: zerolog.Nop(),
	}
}

func start(t *testing.T, o Options) *Router {
	r := New(o)
	t.Cleanup(r.Close)
	return r
}

func threshold(f float64) *float64 { return &f }

func all(r *Router) []int {
	list := make([]int, len(r.o.Targets))
	for i := range list {
		list[i] = i
	}
	return list
}

var three = []Target{
	{Name: "a/coder", Description: "code function golang", Weight: 10},
	{Name: "a/poet", Description: "poem rhyme verse", Weight: 10},
	{Name: "a/rest", Description: CatchAll, Weight: 10},
}

func TestPromptGoesToTheTargetWithTheClosestDescription(t *testing.T) {
	for _, c := range []struct {
		name      string
		targets   []Target
		threshold *float64
		text      string
		ranked    string
		reason    string
		warnings  int
	}{
		{"a match, then CATCHALL, then the others", three, threshold(.3), "golang code please", "[0 2 1]", "a/coder at distance 0.", 0},
		{"no match", three, threshold(.3), "what is the weather like", "[2 0 1]", "beyond 0.3: CATCHALL", 0},
		{"without a threshold the nearest always matches", three, nil, "what is the weather and a poem", "[1 0 2]", "a/poet", 0},
		{"no match and no CATCHALL", three[:2], threshold(.3), "what is the weather", "[0 1]", "no CATCHALL", 1},
		{"one description, the heaviest first", []Target{{"a/x", "code", 25}, {"a/y", "code", 75}, {"a/z", "poem", 90}}, threshold(.3), "code", "[1 0 2]", "a/y", 0},
		{"only CATCHALL", []Target{{"a/x", CatchAll, 1}, {"a/y", " CATCHALL ", 2}}, threshold(.3), "code", "[1 0]", "only CATCHALL", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &model{}
			o := m.options(c.targets...)
			o.Threshold = c.threshold
			r := start(t, o)
			got := r.Rank(t.Context(), c.text, all(r))
			if fmt.Sprint(got.Ranked) != c.ranked || !strings.Contains(got.Reason, c.reason) || len(got.Warnings) != c.warnings {
				t.Errorf("%+v, want %s, %s and %d warnings", got, c.ranked, c.reason, c.warnings)
			}
		})
	}
}

func TestOnlyCandidatesAreRanked(t *testing.T) {
	m := &model{}
	r := start(t, m.options(three...))
	if got := r.Rank(t.Context(), "code", []int{1, 2}); fmt.Sprint(got.Ranked) != "[1 2]" || !strings.Contains(got.Reason, "a/poet") {
		t.Errorf("%+v", got)
	}
}

func TestPromptThatCannotBeEmbeddedIsNotRanked(t *testing.T) {
	m := &model{}
	r := start(t, m.options(three...))
	r.Rank(t.Context(), "code", all(r))
	if got := r.Rank(t.Context(), "  ", all(r)); len(got.Ranked) != 0 || !strings.Contains(got.Warnings[0], "no text") {
		t.Errorf("%+v", got)
	}
	m.broken.Store(true)
	got := r.Rank(t.Context(), "a SECRET prompt", all(r))
	if len(got.Ranked) != 0 || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "status 500") || !strings.Contains(got.Warnings[0], "by weight") {
		t.Errorf("%+v", got)
	}
	if strings.Contains(fmt.Sprint(got), "SECRET") {
		t.Error("the prompt is in the record")
	}
	m.broken.Store(false)
	if got := r.Rank(t.Context(), "a SECRET prompt", all(r)); len(got.Ranked) != 3 {
		t.Errorf("a failure is remembered: %+v", got)
	}
}

func TestRequestsWaitForTheDescriptionsOnlyUntilTheyFailed(t *testing.T) {
	m := &model{slow: 400 * time.Millisecond}
	m.broken.Store(true)
	r := start(t, m.options(three...))
	got := r.Rank(t.Context(), "code", all(r))
	if len(got.Ranked) != 0 || !strings.Contains(got.Warnings[0], "descriptions have no vectors") {
		t.Fatalf("%+v", got)
	}
	machine := lateness.Start(t)
	began := time.Now()
	r.Rank(t.Context(), "code", all(r))
	if d := time.Since(began); d > machine.Within(300*time.Millisecond) {
		t.Errorf("the second request waited %v", d)
	}
	m.broken.Store(false)
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		if got = r.Rank(t.Context(), "code", all(r)); len(got.Ranked) == 3 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("loading was not tried again: %+v", got)
}

func TestFirstRequestIsRoutedByMeaning(t *testing.T) {
	m := &model{slow: 30 * time.Millisecond}
	r := start(t, m.options(three...))
	if got := r.Rank(t.Context(), "code", all(r)); len(got.Ranked) != 3 || got.Ranked[0] != 0 {
		t.Errorf("%+v", got)
	}
}

func TestHangingModelDelaysOnlyTheFirstRequest(t *testing.T) {
	m := &model{}
	o := m.options(three...)
	o.Timeout = 1100 * time.Millisecond
	r := start(t, o)
	r.Rank(t.Context(), "code", all(r))
	m.slow = time.Minute
	machine := lateness.Start(t)
	began := time.Now()
	if got := r.Rank(t.Context(), "verse", all(r)); len(got.Ranked) != 0 {
		t.Errorf("%+v", got)
	}
	if d := time.Since(began); d > machine.Within(2*time.Second) {
		t.Errorf("waited %v", d)
	}
	time.Sleep(50 * time.Millisecond)
	began = time.Now()
	r.Rank(t.Context(), "rhyme", all(r))
	if d := time.Since(began); d > machine.Within(500*time.Millisecond) {
		t.Errorf("the next request waited %v", d)
	}
}

func TestCacheAsksOnceForATextAndForgetsTheOldest(t *testing.T) {
	c := NewCache(6, time.Minute)
	var calls atomic.Int32
	fetch := func(ctx context.Context) ([]float32, error) {
		calls.Add(1)
		time.Sleep(20 * time.Millisecond)
		return []float32{1, 2, 3}, nil
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if v, err := c.Get(t.Context(), "a", fetch); err != nil || !slices.Equal(v, []float32{1, 2, 3}) {
				t.Errorf("%v %v", v, err)
			}
		})
	}
	wg.Wait()
	if n := calls.Load(); n != 1 {
		t.Errorf("%d calls for one text", n)
	}
	c.put("b", []float32{4, 5, 6})
	c.peek("a")
	c.put("c", []float32{7, 8, 9})
	if c.peek("a") == nil || c.peek("b") != nil || c.peek("c") == nil || c.used != 6 {
		t.Errorf("kept the wrong ones: %v, %d numbers", c.entries, c.used)
	}
	c.ttl = -time.Second
	c.put("d", []float32{1})
	if c.peek("d") != nil {
		t.Error("kept for longer than it should")
	}
}

func TestFetchIsCancelledWhenNobodyWaits(t *testing.T) {
	c := NewCache(10, time.Minute)
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		time.Sleep(20 * time.Millisecond)
		cancel()
	}()
	_, err := c.Get(ctx, "a", func(ctx context.Context) ([]float32, error) {
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the fetch goes on")
	}
	if _, err := c.Get(t.Context(), "b", func(context.Context) ([]float32, error) { panic("x") }); err == nil || !strings.Contains(err.Error(), "panicked") {
		t.Errorf("%v", err)
	}
}

func TestDistances(t *testing.T) {
	for _, c := range []struct {
		m    Metric
		a, b []float32
		want float64
	}{
		{Cosine, []float32{1, 0}, []float32{2, 0}, 0},
		{Cosine, []float32{1, 0}, []float32{0, 3}, 1},
		{Cosine, []float32{1, 0}, []float32{-1, 0}, 2},
		{Cosine, []float32{1, 0}, []float32{0, 0}, 1},
		{Euclidean, []float32{1, 0}, []float32{4, 4}, 5},
	} {
		if got := c.m.distance(c.a, c.b); got < c.want-1e-9 || got > c.want+1e-9 {
			t.Errorf("%s %v %v: %v, want %v", c.m, c.a, c.b, got, c.want)
		}
	}
}
