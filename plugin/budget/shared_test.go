package budget

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go-ai-proxy/plugin/lines/linestest"
	"go-ai-proxy/plugin/resp/redistest"
	"go-ai-proxy/test/lateness"

	"github.com/rs/zerolog"
)

// redisServer is a real redis-server, with what is counted in it.
type redisServer struct {
	*redistest.Server
	t testing.TB
}

func newRedisServer(t testing.TB) *redisServer {
	t.Helper()
	return &redisServer{redistest.New(t), t}
}

// node is a store that counts in the server.
func (s *redisServer) node(log *linestest.Buffer) *Store {
	n := &Store{}
	if err := n.Share(s.URL(), zerolog.New(log)); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(n.Close)
	return n
}

// used is what Redis has of a budget.
func (s *redisServer) used(b *Budget, who string) int64 {
	c := s.Client()
	defer c.Close()
	n, _ := c.HGet(context.Background(), b.key(who), "u").Int64()
	return n
}

func (s *redisServer) wait(b *Budget, who string, want int64) {
	s.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if s.used(b, who) == want {
			return
		}
	}
	s.t.Errorf("Redis has %d used, want %d", s.used(b, who), want)
}

func TestNodesShareABudget(t *testing.T) {
	server := newRedisServer(t)
	var log linestest.Buffer
	one, two := server.node(&log), server.node(&log)
	b1, b2 := daily(one, 100), daily(two, 100)
	if st, served := take(t, one, b1, "a", 90, 40); !served || st.Used != 90 || st.Alone {
		t.Errorf("%+v", st)
	}
	server.wait(b1, "a", 40)
	if st, served := take(t, two, b2, "a", 61, 0); served || st.Used != 40 {
		t.Errorf("the other node: %+v", st)
	}
	if st, served := take(t, two, b2, "a", 60, 60); !served || st.Used != 100 || st.Reset <= 0 || st.Reset > 24*time.Hour {
		t.Errorf("the other node: %+v", st)
	}
	if log.String() != "" {
		t.Errorf("said %s", log.String())
	}
}

func TestNodesExceedABudgetByTheirEstimatesErrorOnly(t *testing.T) {
	server := newRedisServer(t)
	var log linestest.Buffer
	overshoot(t, "right", 100, 100, server.node(&log), server.node(&log))
	overshoot(t, "too low", 100, 130, server.node(&log), server.node(&log))
	if log.String() != "" {
		t.Errorf("said %s", log.String())
	}
}

func TestWhatIsSettledIsNotLostWhenTheProcessEnds(t *testing.T) {
	server := newRedisServer(t)
	var log linestest.Buffer
	s := &Store{}
	if err := s.Share(server.URL(), zerolog.New(&log)); err != nil {
		t.Fatal(err)
	}
	b := daily(s, 1e6)
	for i := range 3000 { // more than a batch
		take(t, s, b, fmt.Sprint(i), 0, 7)
	}
	s.Close()
	for _, i := range []int{0, 1500, 2999} {
		if got := server.used(b, fmt.Sprint(i)); got != 7 {
			t.Errorf("client %d: Redis has %d", i, got)
		}
	}
}

func TestSettlementIsCarriedOutOnce(t *testing.T) {
	server := newRedisServer(t)
	var log linestest.Buffer
	s := server.node(&log)
	b := daily(s, 1e6)
	hold, _, _, _ := s.Reserve(ask(b, "a", 100))
	p := hold.parts[0]
	batch := []sent{{place: place{p.key, p.window}, settlement: settlement{b.group.size, -30}, seq: 1 << 40}}
	for range 3 { // as after answers that were lost
		if left := s.shared.settle(t.Context(), batch[:1:1]); len(left) != 0 {
			t.Fatal(left[0].reply.Err())
		}
		batch = []sent{{place: place{p.key, p.window}, settlement: settlement{b.group.size, -30}, seq: 1 << 40}}
	}
	if got := server.used(b, "a"); got != 70 {
		t.Errorf("%d are used, want 70", got)
	}
	old := []sent{{place: place{p.key, p.window - 1}, settlement: settlement{b.group.size, 50}, seq: 1<<40 + 1}}
	s.shared.settle(t.Context(), old)
	if got := server.used(b, "a"); got != 70 {
		t.Errorf("a settlement of yesterday: %d are used, want 70", got)
	}
}

func TestWithoutRedisANodeCountsAloneAndTellsLater(t *testing.T) {
	server := newRedisServer(t)
	var log linestest.Buffer
	s := server.node(&log)
	b := daily(s, 100)
	strict := daily(s, 100, func(b *Budget) { b.Per, b.Together = "route", true })
	take(t, s, b, "a", 40, 40)
	take(t, s, strict, "r", 40, 40)
	server.Kill()
	if st, served := take(t, s, b, "a", 30, 30); !served || !st.Alone || st.Used != 70 {
		t.Errorf("%+v", st)
	}
	if st, served := take(t, s, b, "a", 31, 31); served || st.Used != 70 {
		t.Errorf("alone, the limit does not hold: %+v", st)
	}
	if hold, _, _, down := s.Reserve(ask(strict, "r", 1)); !down || hold != nil {
		t.Error("a budget that must be counted together is counted alone")
	}
	machine := lateness.Start(t)
	began := time.Now()
	for range 100 {
		take(t, s, b, "c", 0, 0)
	}
	if took := time.Since(began); took > machine.Within(2*patience) {
		t.Errorf("100 requests wait %v for a Redis that does not answer", took)
	}
	server.Start() // empty: it has lost its data
	server.wait(b, "a", 30)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if st, _ := take(t, s, b, "d", 0, 0); !st.Alone {
			break
		}
	}
	for _, want := range []string{"Redis does not answer", "Redis answers again"} {
		if n := strings.Count(log.String(), want); n != 1 {
			t.Errorf("%q is said %d times: %s", want, n, log.String())
		}
	}
	if st, served := take(t, s, strict, "r", 1, 1); !served || st.Used != 41 {
		t.Errorf("what Redis lost is not put back: %+v", st)
	}
}

func TestURLIsNotQuoted(t *testing.T) {
	s := &Store{}
	if err := s.Share("redis://:CANARY@ho st", zerolog.Nop()); err == nil || strings.Contains(err.Error(), "CANARY") {
		t.Errorf("%v", err)
	}
}

func BenchmarkReserveInRedis(b *testing.B) {
	server := newRedisServer(b)
	var log linestest.Buffer
	s := server.node(&log)
	of := daily(s, MaxLimit)
	b.ReportAllocs()
	for b.Loop() {
		hold, _, _, _ := s.Reserve(ask(of, "a", 1000))
		hold.Settle(func(*Budget) int64 { return 900 })
	}
}
