// Package gateway connects the relay with Kong: it has the listener that Kong
// sends requests to, the tokens that admit them, what only Kong knows of a
// request, and the way of records to Kong's log phase. It knows the shim
// (kong/plugins) and nothing of models and providers. Read gateway.go first, then
// context.go (what comes from Kong), for_kong.go and record_socket.go (what goes
// back), sockets.go (where they meet).
package gateway

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/wire"
)

// Relay is what a Gateway serves.
type Relay interface {
	// Open compiles a configuration. The error says why it cannot work; the
	// instance answers with it.
	Open(config []byte) (Instance, error)
	// Leave makes sessions close, and returns how long they may take.
	Leave() time.Duration
	// Close is called when no more requests come.
	Close()
}

// Instance is one configuration of a Relay.
type Instance interface {
	// Need names what Kong must pass on of a request, see wire.NeedPath.
	Need() []string
	// Serve answers one request and keeps live informed of its record.
	Serve(ctx context.Context, in *wire.Inbound, out wire.Sink, live record.Live)
	// Close is called when no more requests come; those that are open go on.
	Close()
}

// Gateway is the relay's side towards Kong: a listener on loopback, and the tokens
// that the access phase hands out. It serves only requests with the token of an
// instance, so nobody else on the host can use it.
type Gateway struct {
	relay     Relay
	key       [32]byte // of this process: tokens of an earlier one are void
	listener  net.Listener
	server    *engine.Server
	records   *record.Store
	workers   *recordSocket
	mu        sync.RWMutex
	instances map[string]*Access
	last      atomic.Uint64
	handover  time.Duration
}

// New listens on a free port of 127.0.0.1 and serves relay until Drain, with the
// engine of that kind.
func New(relay Relay, log zerolog.Logger, kind engine.Kind) (*Gateway, error) {
	g := &Gateway{relay: relay, instances: map[string]*Access{}, records: record.NewStore(), handover: handover}
	g.workers = newRecordSocket(g.records, g.knows, log)
	if _, err := rand.Read(g.key[:]); err != nil {
		return nil, fmt.Errorf("key for the relay's tokens: %w", err)
	}
	var err error
	if g.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	g.server = &engine.Server{Handler: g, Log: log, Kind: kind, IdleTimeout: 5 * time.Minute}
	go g.serve(g.listener)
	return g, nil
}

func (g *Gateway) serve(l net.Listener) {
	if err := g.server.Serve(l); !errors.Is(err, engine.ErrClosed) {
		g.server.Log.Error().Err(err).Msg("relay stopped")
	}
}

// Addr is where the relay listens.
func (g *Gateway) Addr() (host string, port int) {
	a := g.listener.Addr().(*net.TCPAddr)
	return a.IP.String(), a.Port
}

// Open compiles a configuration and admits requests with its token. The error says
// why the configuration cannot work; the instance then answers with it.
func (g *Gateway) Open(config []byte) (*Access, error) {
	instance, err := g.relay.Open(config)
	id := strconv.FormatUint(g.last.Add(1), 36)
	a := &Access{gateway: g, instance: instance, token: id + "." + g.mac(id), Need: instance.Need()}
	g.mu.Lock()
	g.instances[id] = a
	g.mu.Unlock()
	return a, err
}

func (g *Gateway) mac(id string) string {
	m := hmac.New(sha256.New, g.key[:])
	m.Write([]byte(id))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:18])
}

// open returns the instance of a token, and the context that came with it.
func (g *Gateway) open(header string) (*Access, wire.Context, error) {
	token, query, _ := strings.Cut(header, "?")
	id, mac, _ := strings.Cut(token, ".")
	g.mu.RLock()
	a := g.instances[id]
	g.mu.RUnlock()
	switch {
	case a != nil && subtle.ConstantTimeCompare([]byte(token), []byte(a.token)) == 1:
	case a == nil && hmac.Equal([]byte(mac), []byte(g.mac(id))):
		return nil, wire.Context{}, errUnknown
	default:
		return nil, wire.Context{}, errForeign
	}
	a.used.Store(time.Now().Unix())
	c, err := decodeContext(query)
	return a, c, err
}

// knows says whether a token was issued by this process.
func (g *Gateway) knows(token string) bool {
	_, _, err := g.open(token)
	return err == nil || errors.Is(err, errUnknown)
}

// ServeIn serves Kong's workers on Unix sockets in dir: their requests, until Drain, and
// the records of these, until it is closed.
func (g *Gateway) ServeIn(dir string) (close func(), err error) {
	_, port := g.Addr()
	records, err := listenIn(dir, RecordSocket, port)
	if err != nil {
		return nil, fmt.Errorf("socket for records: %w", err)
	}
	if queues() {
		l, err := listenIn(dir, RelaySocket, port)
		if err != nil {
			records.Close()
			return nil, fmt.Errorf("socket of the relay: %w", err)
		}
		go g.serve(l)
	}
	go g.workers.serve(records)
	return func() {
		records.Close()
		g.workers.close()
	}, nil
}

// Reserve returns an id for the record of a future request, for
// wire.Context.RecordID.
func (g *Gateway) Reserve() string { return g.records.Reserve() }

// Record returns the record of a finished request, and only once; nil when there
// is none. It waits a moment for a record that is not settled.
func (g *Gateway) Record(id string) *record.Record {
	rec := g.records.Take(id)
	if rec != nil {
		rec.Abandon(endTime)
	}
	return rec
}

// OnRemoved has f called with Kong's id of each plugin that Kong no longer has. It is
// called before ServeIn.
func (g *Gateway) OnRemoved(f func(plugin string)) { g.workers.removed = f }

// Dropped is how many records Kong did not ask for in time.
func (g *Gateway) Dropped() uint64 { return g.records.Dropped() }

// Headers between the relay and the shim; they never reach a client.
const (
	headerRecord  = "X-Go-Ai-Proxy-Record"
	headerUnknown = "X-Go-Ai-Proxy-Unknown"
)

var (
	errForeign = errors.New("no valid token")
	errUnknown = errors.New("no such instance")
)

// ServeExchange serves what Kong sends.
func (g *Gateway) ServeExchange(x *engine.Exchange) {
	shown := wire.First(x.Header, "Proxy-Authorization")
	a, c, err := g.open(shown)
	if err != nil {
		refuseForeign(x, shown != "")
		return
	}
	in := x.Inbound()
	in.Kong = c
	a.instance.Serve(x.Context(), &in, x, g.live(&c))
}

// refuseForeign answers a request without a token of this process.
func refuseForeign(x *engine.Exchange, hasToken bool) {
	const text = `{"error":{"message":"go-ai-proxy: the request did not come through Kong's access phase","type":"api_error","code":null,"param":null}}`
	h := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	status := http.StatusForbidden
	if hasToken {
		// A token of an earlier process: the shim asks access anew when it sees this.
		h[headerUnknown] = []string{"1"}
		status = http.StatusServiceUnavailable
	}
	if x.Start(status, h, int64(len(text))) == nil {
		_ = x.Write([]byte(text)) // who is gone needs no answer
	}
}

// live hands a request's record to Kong.
func (g *Gateway) live(c *wire.Context) record.Live {
	id := c.RequestID
	if !c.Shim {
		id = c.RecordID
	}
	return &forKong{records: g.records, socket: g.workers, shim: c.Shim, id: id, worker: c.Worker, traced: c.Traced}
}

// Connected says whether one of Kong's workers is connected.
func (g *Gateway) Connected() bool { return g.workers.connected() }

// Leave tells Kong's workers that the relay is about to end, and keeps accepting
// requests while a worker is connected, for as long as those take that are already
// on their way: another plugin may hold them, or their client be slow to send.
func (g *Gateway) Leave() {
	if !g.workers.leave() {
		return
	}
	for end := time.Now().Add(g.handover); time.Now().Before(end) && g.Connected(); {
		time.Sleep(handoverStep)
	}
}

// handover is how long the relay accepts requests after it has announced that it
// leaves, where workers stay.
const (
	handover     = 10 * time.Second
	handoverStep = 20 * time.Millisecond
)

// Drain lets open requests finish for a bounded time and ends the relay.
func (g *Gateway) Drain() {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if g.server.Shutdown(ctx) != nil {
		ctx, cancel := context.WithTimeout(context.Background(), g.relay.Leave()+time.Second)
		defer cancel()
		if g.server.Shutdown(ctx) != nil {
			_ = g.server.Close()
		}
	}
	if g.Connected() {
		time.Sleep(lastQuestions)
	}
	g.relay.Close()
}

// lastQuestions is how long Kong may take to ask for the last records.
const lastQuestions = 300 * time.Millisecond

// drainTime is how long open requests may take after the process was told to end.
//
// After a reload of Kong old workers live as long as their connections, and so
// does this; when Kong stops, its connections are gone at once.
const drainTime = time.Hour
