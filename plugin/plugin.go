package plugin

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	pdk "github.com/Kong/go-pdk"
	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/lines"
	"go-ai-proxy/plugin/server"
	"go-ai-proxy/translators/jsonedit"
)

// What Kong knows the plugin by.
const (
	Name     = "go-ai-proxy"
	Version  = "1.0.0"
	Priority = 770 // Kong's ai-proxy has it, too: before all logging plugins
	Socket   = Name + ".socket"
)

// Info describes the plugin to Kong. The log phase is declared only on
// request: it is for a Kong without the Lua shim.
func Info(schema []byte) server.Info {
	phases := []string{"access"}
	if logPhase() {
		phases = append(phases, "log")
	}
	return server.Info{Name: Name, Version: Version, Priority: Priority, Phases: phases, Schema: schema}
}

func logPhase() bool { return os.Getenv("GO_AI_PROXY_LOG_PHASE") == "on" }

// Serve is the plugin server: it serves Kong from its prefix until ctx ends,
// and then lets open requests finish for a bounded time. The socket is taken
// last: what keeps this process from serving leaves the one before it alone.
func Serve(ctx context.Context, schema []byte, prefix string, log zerolog.Logger) error {
	g, err := NewGateway(log)
	if err != nil {
		return err
	}
	if err := g.relay.Share(os.Getenv(RedisEnv)); err != nil {
		return err
	}
	if logPhase() {
		entries := lines.Entries(os.Stdout, log)
		defer entries.Close(time.Second)
		g.entries = entries
	}
	socket := filepath.Join(prefix, Socket)
	if err := server.Claim(ctx, socket); err != nil {
		return err
	}
	closeRecords, err := g.ServeRecords(prefix)
	if err != nil {
		return err
	}
	defer closeRecords()
	listener, err := server.Listen(socket)
	if err != nil {
		return err
	}
	s := &server.Server{Info: Info(schema), Logger: log, New: func(config []byte) (server.Instance, error) {
		a, _ := g.Open(config) // a configuration that cannot work answers for itself
		return newKongInstance(a)
	}}
	err = s.Serve(ctx, listener)
	g.drain()
	return err
}

// kongInstance answers Kong's access phase.
type kongInstance struct {
	access *Access
	// calls send every request to the relay; nil when each request has
	// something of its own to pass on.
	calls server.Calls
	fixed bool
}

func newKongInstance(a *Access) (server.Instance, error) {
	k := kongInstance{access: a, fixed: len(a.Need) == 0 && !logPhase()}
	var err error
	if k.calls, err = server.Prepare(func(p *pdk.PDK) error { return k.send(p, a.Header(nil)) }); err != nil {
		a.Close()
		return nil, fmt.Errorf("access: %w", err)
	}
	if logPhase() {
		return loggingInstance{k}, nil
	}
	return k, nil
}

func (k kongInstance) send(p *pdk.PDK, header string) error {
	host, port := k.access.Addr()
	if err := p.Service.SetTarget(host, port); err != nil {
		return err
	}
	if err := p.ServiceRequest.SetScheme("http"); err != nil {
		return err
	}
	return p.ServiceRequest.SetHeader("Proxy-Authorization", header)
}

// Access implements server.Instance. Where the shim is there, it is called for
// a worker's first request with a configuration only; the shim passes on what
// Need says by itself from then on.
func (k kongInstance) Access(e *server.Event) {
	if k.fixed {
		e.Send(k.calls)
		return
	}
	c, err := k.context(e.PDK)
	if err == nil {
		err = k.send(e.PDK, k.access.Header(c))
	}
	if err != nil {
		// Fail closed: the request must not go on to the placeholder service.
		k.access.gateway.log.Error().Err(err).Msg("access")
		e.Response.Exit(http.StatusInternalServerError, []byte(`{"error":{"message":"internal error","type":"api_error","code":null,"param":null}}`),
			map[string][]string{"Content-Type": {"application/json; charset=utf-8"}})
	}
}

// Close implements server.Instance.
func (k kongInstance) Close() { k.access.Close() }

// LastUsed implements server.Usage.
func (k kongInstance) LastUsed() time.Time { return k.access.LastUsed() }

// context asks Kong for what the configuration needs of the request.
func (k kongInstance) context(p *pdk.PDK) (*Context, error) {
	c := &Context{}
	var err error
	if slices.Contains(k.access.Need, needPath) {
		// Kong normalises what it answers to GetPath; the relay does that itself.
		target, err := p.Request.GetPathWithQuery()
		if err != nil {
			return nil, fmt.Errorf("path: %w", err)
		}
		c.Path, _, _ = strings.Cut(target, "?")
	}
	if slices.Contains(k.access.Need, needIP) {
		if c.ClientIP, err = p.Client.GetForwardedIp(); err != nil {
			return nil, fmt.Errorf("client address: %w", err)
		}
	}
	if slices.Contains(k.access.Need, needCaptures) {
		_, named, err := p.Request.GetUriCaptures()
		if err != nil {
			return nil, fmt.Errorf("captures of the path: %w", err)
		}
		c.Captures = make(map[string]string, len(named))
		for name, value := range named {
			c.Captures[name] = string(value)
		}
	}
	if slices.Contains(k.access.Need, needConsumer) {
		// Kong answers an error when nobody has authenticated.
		if who, err := p.Client.GetConsumer(); err == nil {
			c.Consumer = Consumer{ID: who.Id, Username: who.Username, CustomID: who.CustomId}
		}
	}
	return c, nil
}

// loggingInstance is a kongInstance on a Kong without the shim: its log phase
// writes the log entry itself, with our record in it.
type loggingInstance struct{ kongInstance }

// logID is the name under which the access phase leaves the record's id in
// Kong's shared context.
const logID = "go_ai_proxy_record"

// Access implements server.Instance.
func (l loggingInstance) Access(e *server.Event) {
	c, err := l.context(e.PDK)
	if err == nil {
		c.RecordID = l.access.gateway.records.reserve()
		if err = e.Ctx.SetShared(logID, c.RecordID); err == nil {
			err = l.send(e.PDK, l.access.Header(c))
		}
	}
	if err != nil {
		l.access.gateway.log.Error().Err(err).Msg("access")
		e.Response.Exit(http.StatusInternalServerError, nil, nil)
	}
}

// Log implements server.LogHandler.
func (l loggingInstance) Log(e *server.Event) {
	id, err := e.Ctx.GetSharedString(logID)
	if err != nil {
		return // a request that access did not see
	}
	entry, err := e.PDK.Log.Serialize()
	if err != nil {
		l.access.gateway.log.Warn().Err(err).Msg("log entry")
		return
	}
	line := []byte(entry)
	if rec := l.access.gateway.records.take(id); rec != nil {
		rec.abandon(endTime) // nobody waits for this line
		if b := rec.Append(nil); len(b) > 0 {
			line = withRecord(line, b)
		}
	}
	_, _ = l.access.gateway.entries.Write(append(line, '\n'))
}

// withRecord puts a record into a log entry of Kong's.
func withRecord(entry, record []byte) []byte {
	members, err := jsonedit.Object(entry, nil)
	if err != nil {
		return entry
	}
	ai := append(append([]byte(`{"proxy":`), record...), '}')
	return jsonedit.Join(nil, jsonedit.Splice(nil, entry, members, []jsonedit.Edit{{Key: "ai", Value: ai}}))
}
