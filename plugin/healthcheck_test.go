package plugin

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/engine/enginetest"
)

// checkedServer is a self-hosted server that may be dead, and counts what it is asked.
type checkedServer struct {
	*httptest.Server
	dead           atomic.Bool
	checks, asked  atomic.Int32
	contentOfCheck atomic.Value
}

func newCheckedServer(t *testing.T) *checkedServer {
	s := &checkedServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		check := r.URL.Path == "/health" || strings.Contains(string(body), `"ping"`)
		if check {
			s.checks.Add(1)
			s.contentOfCheck.Store(r.Method + " " + r.URL.Path + " " + string(body) + r.Header.Get("Authorization"))
		} else {
			s.asked.Add(1)
		}
		if s.dead.Load() {
			status(503)(w, r)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

// checkedRelay has two targets, of which the first one is preferred.
func checkedRelay(t *testing.T, log io.Writer, more string, urls ...string) (*Relay, *Instance) {
	t.Helper()
	relay := NewRelay(testSchema, zerolog.New(log), enginetest.Kind)
	relay.CheckHealth()
	conf := strings.Replace(targetsConf(`"algorithm":"priority","failover_criteria":["error"],"healthchecks":{"active":{"interval":100`+more+`}}`, "", urls...), `{"route_type"`, `{"weight":200,"auth":{"header_name":"Authorization","header_value":"Bearer k"},"route_type"`, 1)
	inst, err := relay.NewInstance([]byte(conf))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inst.Close(); relay.Close() })
	return relay, inst
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

// A dead target is known before a client meets it, and used again once it lives; and
// it is used when no other is left.
func TestDeadTargetIsKnownBeforeAClientMeetsIt(t *testing.T) {
	for name, c := range map[string]struct{ more, check string }{
		"a path":                 {`,"path":"/health"`, "GET /health "},
		"a request of one token": {"", `POST /v1 {"messages":[{"role":"user","content":"ping"}],"max_tokens":1,"model":"m0","stream":false}Bearer k`},
	} {
		one, two := newCheckedServer(t), newCheckedServer(t)
		one.dead.Store(true)
		var log bytes.Buffer
		relay, inst := checkedRelay(t, &lockedWriter{w: &log, mu: &sync.Mutex{}}, c.more, one.URL, two.URL)
		down := func() bool { return relay.Targets()[0].Down }
		eventually(t, name+": it is not known", down)
		if got := one.contentOfCheck.Load(); got != c.check {
			t.Errorf("%s: the check is %q, want %q", name, got, c.check)
		}
		serve := func() map[string]any {
			var v map[string]any
			_ = json.Unmarshal(relay.Serve(t.Context(), inst, inbound([]byte(hello)), nowhere{}, nil).Append(nil), &v)
			return v
		}
		if rec := serve(); at(rec, "meta.request_model") != "m1" || one.asked.Load() != 0 {
			t.Errorf("%s: a client has met it: %v", name, rec)
		}
		two.dead.Store(true)
		eventually(t, name+": the other one is not known", func() bool { return relay.Targets()[1].Down })
		if rec := serve(); at(rec, "tried_targets.0.status") != 503.0 {
			t.Errorf("%s: with nobody left: %v", name, rec)
		}
		one.dead.Store(false)
		eventually(t, name+": it is not used again", func() bool { return !down() })
		if rec := serve(); at(rec, "meta.request_model") != "m0" || at(rec, "meta.outcome") != "completed" {
			t.Errorf("%s: %v", name, rec)
		}
		inst.Close()
		relay.Close()
		if s := log.String(); strings.Count(s, "the target is down") != 2 || strings.Count(s, "up again") < 1 {
			t.Errorf("%s: log %s", name, s)
		}
		if got := relay.Targets(); len(got) != 0 {
			t.Errorf("%v", got)
		}
	}
}

// What requests of clients show is not asked, and a target that is not configured to be
// checked is not.
func TestNoTargetIsCheckedThatTrafficShowsToLive(t *testing.T) {
	one, two := newCheckedServer(t), newCheckedServer(t)
	relay, inst := checkedRelay(t, io.Discard, `,"path":"/health"`, one.URL, two.URL)
	relay.Serve(t.Context(), inst, inbound([]byte(hello)), nowhere{}, nil)
	before := one.checks.Load()
	most, last := int32(1), time.Now()
	for end := time.Now().Add(400 * time.Millisecond); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		relay.Serve(t.Context(), inst, inbound([]byte(hello)), nowhere{}, nil)
		most += int32(time.Since(last) / (50 * time.Millisecond)) // a busy machine: there was no traffic meanwhile
		last = time.Now()
	}
	if got := one.checks.Load() - before; got > most {
		t.Errorf("it was checked %d times", got)
	}
	eventually(t, "the quiet one is not checked", func() bool { return two.checks.Load() > 1 })
}

// Failures that checks find count for the circuit breaker.
func TestChecksFeedTheCircuitBreaker(t *testing.T) {
	one := newCheckedServer(t)
	one.dead.Store(true)
	relay := NewRelay(testSchema, zerolog.Nop(), enginetest.Kind)
	relay.CheckHealth()
	inst, err := relay.NewInstance([]byte(targetsConf(`"max_fails":3,"fail_timeout":600000,"healthchecks":{"active":{"interval":100}}`, "", one.URL)))
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()
	defer inst.Close()
	eventually(t, "the breaker does not exclude it", func() bool { return !relay.Targets()[0].Available })
	one.dead.Store(false)
	eventually(t, "the breaker does not admit it", func() bool { return relay.Targets()[0].Available })
}
