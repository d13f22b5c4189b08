package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/test/ports"
)

// hello is a relay that answers every request with "hello", and its only instance.
type hello struct{}

func (hello) Open([]byte) (Instance, error) { return hello{}, nil }
func (hello) Leave() time.Duration          { return 0 }
func (hello) Close()                        {}
func (hello) Need() []string                { return nil }

func (hello) Serve(_ context.Context, _ *wire.Inbound, out wire.Sink, live record.Live) {
	rec := begun()
	live.Begin(rec)
	rec.Settle(record.Completed, "", nil)
	live.Settle(rec)
	h := http.Header{}
	live.Announce(h, rec)
	if out.Start(http.StatusOK, h, 5) == nil {
		_ = out.Write([]byte("hello"))
	}
}

// begun is a record of a request that is under way.
func begun() *record.Record {
	rec := record.New(record.Data{Started: time.Now()})
	rec.Watch()
	return rec
}

// large is begun with a payload of n bytes that is logged.
func large(n int) *record.Record {
	rec := begun()
	rec.Update(func(d *record.Data) {
		d.Logging.Payloads, d.Answer = true, []byte(strings.Repeat("x", n))
	})
	return rec
}

// ended settles a record that s knows.
func ended(s *record.Store, id string, rec *record.Record) {
	rec.Settle(record.Completed, "", nil)
	s.Settle(id, rec)
}

// serving is a Gateway with an instance, and the path of its records' socket.
func serving(t *testing.T) (*Gateway, *Access, string) {
	t.Helper()
	g, err := New(hello{}, zerolog.Nop(), enginetest.Kind)
	if err != nil {
		t.Fatal(err)
	}
	dir := ports.Dir(t)
	_, port := g.Addr()
	closeRecords, err := g.ServeIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	a, err := g.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		closeRecords()
		a.Close()
		g.Drain()
	})
	return g, a, filepath.Join(dir, fmt.Sprintf(RecordSocket, port))
}

// recordIn is the record in a line of the records' socket; nil when there is none.
func recordIn(t *testing.T, line, id string) *logged {
	t.Helper()
	text, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), id+" ")
	if line != "" && !ok {
		t.Fatalf("%q is no answer to %s", line, id)
	}
	if text == "" {
		return nil
	}
	v := &logged{}
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatal(err)
	}
	return v
}

// logged is what tests look at in a record.
type logged struct {
	Meta    struct{ Outcome string }
	Payload struct{ Response string }
}

func TestRequestWithoutATokenIsRefused(t *testing.T) {
	g, a, _ := serving(t)
	for name, c := range map[string]struct {
		token  string
		status int
		ask    bool // the shim is told to ask access anew
	}{
		"none":            {"", 403, false},
		"forged":          {"1.AAAAAAAAAAAAAAAAAAAAAAAA", 503, true},
		"another id":      {"zz." + strings.SplitN(a.token, ".", 2)[1], 503, true},
		"good":            {a.token, 200, false},
		"with a context":  {a.token + "?path=%2Fx&ip=127.0.0.1", 200, false},
		"with a bad one":  {a.token + "?path=%zz", 503, true},
		"closed instance": {"closed", 503, true},
	} {
		token := c.token
		if token == "closed" {
			other, _ := g.Open(nil)
			token = other.token
			other.Close()
		}
		_, port := g.Addr()
		req, _ := http.NewRequestWithContext(t.Context(), "POST", fmt.Sprintf("http://127.0.0.1:%d/chat", port), nil)
		if token != "" {
			req.Header.Set("Proxy-Authorization", token)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.status || (resp.Header.Get(headerUnknown) != "") != c.ask {
			t.Errorf("%s: %d %v", name, resp.StatusCode, resp.Header)
		}
	}
}

func TestKongReachesTheRelayOnAUnixSocket(t *testing.T) {
	g, a, records := serving(t)
	if !queues() {
		t.Skip("the system lets few connections wait")
	}
	socket := strings.Replace(records, "record", "relay", 1)
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}}
	defer client.CloseIdleConnections()
	for token, status := range map[string]int{a.token: 200, "": 403} {
		r, err := http.NewRequest("POST", "http://relay/", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Proxy-Authorization", token)
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != status {
			t.Errorf("status %d with token %q, want %d", answer.StatusCode, token, status)
		}
	}
	client.CloseIdleConnections()
	g.Drain()
	if _, err := os.Stat(socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the relay that ended left its socket: %v", err)
	}
}
