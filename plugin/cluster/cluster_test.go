package cluster

import (
	"io"
	"math"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/balancer"
	"go-ai-proxy/plugin/lines/linestest"
	"go-ai-proxy/plugin/resp/redistest"
	"go-ai-proxy/test/leaks"
)

func TestMain(m *testing.M) { leaks.VerifyTestMain(m) }

// member is a node with one target and a balancer over it.
type member struct {
	node  *Node
	store *balancer.Store
	state *balancer.State
	b     *balancer.Balancer
	logs  *linestest.Buffer
}

func join(t *testing.T, url string) *member {
	t.Helper()
	m := &member{store: balancer.NewStore(), logs: &linestest.Buffer{}}
	m.state = m.store.Use("https://secret.example\x00gpt-4o")
	var err error
	m.b, err = balancer.New(balancer.Options{Breaker: balancer.Breaker{MaxFails: 3, FailTimeout: 8 * time.Second}},
		[]balancer.Target{{ID: "target", Weight: 1, State: m.state}})
	if err != nil {
		t.Fatal(err)
	}
	if m.node, err = Join(url, m.store, zerolog.New(m.logs)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.node.Close)
	return m
}

// end makes an attempt that ends with v; false when none is let through.
func (m *member) end(v balancer.Verdict) bool {
	r := &balancer.Request{Now: time.Now(), Candidates: []int{0}}
	i, ok := m.b.Pick(r)
	if ok {
		m.b.Done(r, i, v, time.Now())
	}
	return ok
}

func (m *member) open() bool {
	r := &balancer.Request{Now: time.Now(), Candidates: []int{0}}
	i, ok := m.b.Pick(r)
	if ok {
		m.b.Done(r, i, balancer.Neutral, time.Now())
	}
	return ok
}

func (m *member) learn(prompt int, cost float64, latency time.Duration) {
	m.b.Learn(0, balancer.Sample{Latency: latency, Prompt: prompt, Completion: prompt / 2, Cost: cost}, time.Now())
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Errorf("in vain: %s", what)
}

func TestNodesAddUpTheirCounts(t *testing.T) {
	s := redistest.New(t)
	a, b := join(t, s.URL()), join(t, s.URL())
	var wg sync.WaitGroup
	for _, m := range []*member{a, b} {
		for range 4 {
			wg.Go(func() {
				for range 250 {
					m.learn(10, .5, 0)
					time.Sleep(time.Millisecond)
				}
			})
		}
	}
	wg.Wait()
	for name, m := range map[string]*member{"a": a, "b": b} {
		eventually(t, name+" knows of all", func() bool {
			x := m.state.Snapshot()
			return x.Prompt == 20000 && x.Completion == 10000 && math.Abs(x.Cost-1000) < 1e-6
		})
	}
	late := join(t, s.URL())
	eventually(t, "a node that comes later knows of all", func() bool { return late.state.Snapshot().Prompt == 20000 })
	time.Sleep(3 * interval)
	if x := a.state.Snapshot(); x.Prompt != 20000 {
		t.Errorf("counts drift: %+v", x)
	}
}

func TestLatencyIsSharedBetweenNodes(t *testing.T) {
	s := redistest.New(t)
	a, b := join(t, s.URL()), join(t, s.URL())
	a.learn(2, 0, 300*time.Millisecond)
	eventually(t, "b knows a's latency", func() bool { return b.state.Snapshot().E2E.Value == 300 })
	at := b.state.Snapshot().E2E.At
	if d := time.Since(at); d < 0 || d > 20*time.Second {
		t.Errorf("taken %v ago", d)
	}
	time.Sleep(3 * interval)
	if again := b.state.Snapshot().E2E.At; !again.Equal(at) {
		t.Errorf("the average grows younger by %v without news", again.Sub(at))
	}
	b.learn(2, 0, 700*time.Millisecond)
	eventually(t, "a knows b's", func() bool { return a.state.Snapshot().E2E.Value > 600 })
}

func TestFailuresOfAllNodesExcludeATarget(t *testing.T) {
	s := redistest.New(t)
	a, b := join(t, s.URL()), join(t, s.URL())
	a.end(balancer.Bad)
	a.end(balancer.Bad)
	eventually(t, "b knows of two failures", func() bool { return b.state.Snapshot().Fails == 2 })
	b.end(balancer.Bad)
	if b.open() {
		t.Error("three failures, and b still asks the target")
	}
	eventually(t, "a knows, too", func() bool { return !a.open() })
	eventually(t, "a probe after the pause", func() bool { return a.end(balancer.Good) })
	if !a.open() {
		t.Error("closed off after a good probe")
	}
	eventually(t, "b knows that the target is well", func() bool { return b.open() && b.end(balancer.Bad) && b.open() })
	if x := a.state.Snapshot(); x.Fails-x.Forgiven > 1 {
		t.Errorf("%+v", x)
	}
}

func TestRetryAfterAppliesToAllNodes(t *testing.T) {
	s := redistest.New(t)
	a, b := join(t, s.URL()), join(t, s.URL())
	until := time.Now().Add(time.Minute)
	a.b.Rest(0, until)
	eventually(t, "b leaves the target alone, too", func() bool {
		d := b.state.Snapshot().Rest.Sub(until)
		return d.Abs() < 20*time.Second
	})
}

func TestNodeKeepsItsCountsWithoutRedis(t *testing.T) {
	s := redistest.New(t)
	a, b := join(t, s.URL()), join(t, s.URL())
	a.learn(100, 1, 0)
	eventually(t, "b knows", func() bool { return b.state.Snapshot().Prompt == 100 })
	s.Kill()
	a.learn(20, 0, 0)
	b.learn(3, 0, 0)
	eventually(t, "the outage is noticed", func() bool {
		return strings.Contains(a.logs.String(), "does not answer") && strings.Contains(b.logs.String(), "does not answer")
	})
	if p := a.state.Snapshot().Prompt; p != 120 {
		t.Errorf("a counts %d", p)
	}
	time.Sleep(pause + 200*time.Millisecond)
	if n := strings.Count(a.logs.String(), "does not answer"); n != 1 {
		t.Errorf("logged %d times", n)
	}
	s.Start() // empty: Redis has lost all it knew
	for name, m := range map[string]*member{"a": a, "b": b} {
		eventually(t, name+" counts what both used", func() bool { return m.state.Snapshot().Prompt == 123 })
	}
	eventually(t, "the log says that Redis answers again", func() bool { return strings.Contains(a.logs.String(), "answers again") })
}

func TestNodeSharesItsStateWhenItEnds(t *testing.T) {
	s := redistest.New(t)
	a := join(t, s.URL())
	a.learn(42, 0, 0)
	a.node.Close()
	b := join(t, s.URL())
	eventually(t, "b knows", func() bool { return b.state.Snapshot().Prompt == 42 })
}

func TestKeysRevealNothingOfTheTarget(t *testing.T) {
	s := redistest.New(t)
	a := join(t, s.URL())
	a.learn(1, 0, 0)
	c := s.Client()
	defer c.Close()
	var keys []string
	eventually(t, "there is a key", func() bool {
		keys, _ = c.Keys(t.Context(), "*").Result()
		return len(keys) == 1
	})
	if len(keys) == 1 && strings.Contains(keys[0], "secret") {
		t.Error(keys)
	}
	if ttl := c.TTL(t.Context(), keys[0]).Val(); ttl <= 0 || ttl > keep {
		t.Errorf("kept for %v", ttl)
	}
	if _, err := Join("redis://user:SECRET@host:port:port", a.store, zerolog.Nop()); err == nil || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("%v", err)
	}
}

// TestNonsenseFromRedisIsIgnored: without a guard below the client these
// few bytes end the process.
func TestNonsenseFromRedisIsIgnored(t *testing.T) {
	for _, nonsense := range []string{"*2147483647\r\n", strings.Repeat("*1\r\n", 1<<20)} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					if _, err := c.Read(make([]byte, 1)); err == nil {
						io.WriteString(c, nonsense)
						io.Copy(io.Discard, c)
					}
				}()
			}
		}()
		m := join(t, "redis://"+l.Addr().String())
		for deadline := time.Now().Add(20 * time.Second); !strings.Contains(m.logs.String(), "Redis does not answer"); {
			if time.Now().After(deadline) {
				t.Fatalf("%.20q: %s", nonsense, m.logs)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if !strings.Contains(m.logs.String(), "the connection is closed") || !m.end(balancer.Good) {
			t.Errorf("%.20q: %s", nonsense, m.logs)
		}
		m.node.Close()
	}
}
