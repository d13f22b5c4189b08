package plugin

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/realtime"
	"go-ai-proxy/plugin/wire"
)

// Gateway is the relay as Kong meets it: a listener on loopback that serves
// whoever shows the token of an instance, and the tokens that the access phase
// hands out. Nobody else on the host can use it.
type Gateway struct {
	relay     *Relay
	log       zerolog.Logger
	entries   io.Writer // of the log phase, where it is ours
	key       [32]byte  // of this process: tokens of an earlier one are void
	listener  net.Listener
	server    *engine.Server
	records   *records
	workers   *recordSocket
	mu        sync.RWMutex
	instances map[string]*Access
	last      atomic.Uint64
}

// NewGateway listens on a free port of 127.0.0.1 and serves until Close.
func NewGateway(log zerolog.Logger) (*Gateway, error) {
	g := &Gateway{relay: NewRelay(log), log: log, entries: os.Stdout, instances: map[string]*Access{}, records: newRecords()}
	g.workers = newRecordSocket(g.records, g.knows, log)
	if _, err := rand.Read(g.key[:]); err != nil {
		return nil, fmt.Errorf("key for the relay's tokens: %w", err)
	}
	var err error
	if g.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	g.server = &engine.Server{Handler: g, Log: log, IdleTimeout: 5 * time.Minute}
	go func() {
		if err := g.server.Serve(g.listener); !errors.Is(err, engine.ErrClosed) {
			log.Error().Err(err).Msg("relay stopped")
		}
	}()
	return g, nil
}

// Addr is where the relay listens.
func (g *Gateway) Addr() (host string, port int) {
	a := g.listener.Addr().(*net.TCPAddr)
	return a.IP.String(), a.Port
}

// Access is an instance as Kong's access phase sees it.
type Access struct {
	gateway  *Gateway
	instance *Instance
	token    string
	// Need names what the access phase must pass on, since the configuration
	// uses it.
	Need []string
	used atomic.Int64 // unix seconds of the last request
}

// What a configuration may need of a request that only Kong knows.
const (
	needPath     = "path"
	needIP       = "ip"
	needCaptures = "captures"
	needConsumer = "consumer"
	needGroups   = "groups"
)

// Open compiles a configuration and lets requests with its token in. The error
// says why the configuration cannot work; the instance answers with it.
func (g *Gateway) Open(config []byte) (*Access, error) {
	inst, err := g.relay.NewInstance(config)
	switch {
	case inst.broken != nil:
		g.log.Error().Str("plugin_id", inst.config.PluginID).Err(err).Msg("configuration refused")
	case err != nil:
		g.log.Error().Str("plugin_id", inst.config.PluginID).Err(err).Msg("a target can serve no request")
	}
	id := strconv.FormatUint(g.last.Add(1), 36)
	a := &Access{gateway: g, instance: inst, token: id + "." + g.mac(id), Need: inst.needs()}
	g.mu.Lock()
	g.instances[id] = a
	g.mu.Unlock()
	return a, err
}

// Close lets no more requests of the instance in.
func (a *Access) Close() {
	id, _, _ := strings.Cut(a.token, ".")
	a.gateway.mu.Lock()
	delete(a.gateway.instances, id)
	a.gateway.mu.Unlock()
	a.instance.close()
}

// LastUsed is when a request came with the token: Kong does not see those that
// the shim sends by itself.
func (a *Access) LastUsed() time.Time { return time.Unix(a.used.Load(), 0) }

// Header is the value of Proxy-Authorization for a request: the token and what
// the relay should know of the request. The log serializer of Kong redacts
// this header, and access always overwrites what a client sent in it.
func (a *Access) Header(c *Context) string {
	query := ""
	if c != nil {
		query = encodeContext(c)
	}
	if len(a.Need) > 0 { // for the shim
		query += "&need=" + strings.Join(a.Need, ",")
	}
	if query == "" {
		return a.token
	}
	return a.token + "?" + strings.TrimPrefix(query, "&")
}

// Addr is where the relay listens.
func (a *Access) Addr() (host string, port int) { return a.gateway.Addr() }

func (g *Gateway) mac(id string) string {
	m := hmac.New(sha256.New, g.key[:])
	m.Write([]byte(id))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:18])
}

// open returns the instance of a token and the context beside it.
func (g *Gateway) open(header string) (*Access, Context, error) {
	token, query, _ := strings.Cut(header, "?")
	id, mac, _ := strings.Cut(token, ".")
	g.mu.RLock()
	a := g.instances[id]
	g.mu.RUnlock()
	switch {
	case a != nil && subtle.ConstantTimeCompare([]byte(token), []byte(a.token)) == 1:
	case a == nil && hmac.Equal([]byte(mac), []byte(g.mac(id))):
		return nil, Context{}, errUnknown
	default:
		return nil, Context{}, errForeign
	}
	a.used.Store(time.Now().Unix())
	c, err := decodeContext(query)
	return a, c, err
}

// knows says whether a token is of this process.
func (g *Gateway) knows(token string) bool {
	_, _, err := g.open(token)
	return err == nil || err == errUnknown
}

// ServeRecords gives Kong's workers the records of their requests on a Unix
// socket in dir, until it is closed.
func (g *Gateway) ServeRecords(dir string) (close func(), err error) {
	_, port := g.Addr()
	return g.workers.serve(dir, port)
}

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
	g.relay.Serve(x.Context(), a.instance, &in, x, g.live(&c))
}

// refuseForeign answers who has no token of this process.
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
func (g *Gateway) live(c *Context) Live {
	id := c.RequestID
	if !c.Shim {
		id = c.RecordID
	}
	return &forKong{records: g.records, socket: g.workers, shim: c.Shim, id: id, worker: c.Worker}
}

// drain lets open requests finish for a bounded time and ends the relay.
func (g *Gateway) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if g.server.Shutdown(ctx) != nil {
		close(g.relay.leaving) // sessions say goodbye
		ctx, cancel := context.WithTimeout(context.Background(), realtime.Parting+time.Second)
		defer cancel()
		if g.server.Shutdown(ctx) != nil {
			_ = g.server.Close()
		}
	}
	time.Sleep(lastQuestions)
	g.relay.Close()
}

// lastQuestions is how long Kong may take to ask for the last records.
const lastQuestions = 300 * time.Millisecond

// drainTime is how long open requests may take after the process was told to end.
//
// After a reload of Kong old workers live as long as their connections, and so
// does this; when Kong stops, its connections are gone at once.
const drainTime = time.Hour

// encodeContext writes a context as the shim does, too.
func encodeContext(c *Context) string {
	v := url.Values{"path": {c.Path}, "ip": {c.ClientIP}}
	set := func(k, s string) {
		if s != "" {
			v.Set(k, s)
		}
	}
	if c.Shim {
		v.Set("shim", "1")
	}
	set("id", c.RequestID)
	set("record", c.RecordID)
	set("worker", c.Worker)
	set("consumer.id", c.Consumer.ID)
	set("consumer.username", c.Consumer.Username)
	set("consumer.custom_id", c.Consumer.CustomID)
	for k, s := range c.Captures {
		v.Set("c."+k, s)
	}
	v["groups"], v["group_ids"] = c.Groups, c.GroupIDs
	return v.Encode()
}

func decodeContext(query string) (Context, error) {
	var c Context
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		k, v, _ := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(k)
		if err != nil {
			return c, fmt.Errorf("context from the access phase: %w", err)
		}
		value, err := url.QueryUnescape(v)
		if err != nil {
			return c, fmt.Errorf("context from the access phase: %w", err)
		}
		switch key {
		case "shim":
			c.Shim = true
		case "path":
			c.Path = value
		case "ip":
			c.ClientIP = value
		case "id":
			c.RequestID = value
		case "record":
			c.RecordID = value
		case "worker":
			c.Worker = value
		case "consumer.id":
			c.Consumer.ID = value
		case "consumer.username":
			c.Consumer.Username = value
		case "consumer.custom_id":
			c.Consumer.CustomID = value
		case "groups":
			c.Groups = append(c.Groups, value)
		case "group_ids":
			c.GroupIDs = append(c.GroupIDs, value)
		default:
			if name, ok := strings.CutPrefix(key, "c."); ok {
				if c.Captures == nil {
					c.Captures = map[string]string{}
				}
				c.Captures[name] = value
			}
		}
	}
	return c, nil
}
