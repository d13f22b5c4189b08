// Package plugin is go-ai-proxy as Kong calls it, one file per phase, and the
// relay in which a request meets a provider. A newcomer reads plugin.go and
// access.go (what Kong calls), relay.go (Serve), then request.go, attempt.go,
// header_filter.go, body_filter.go (with stream.go for events) and log.go in the
// order in which a request passes through them. How requests come from Kong is in
// gateway, what they leave in the log in record. Formats live in ../translators
// and know nothing of this package.
package plugin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/balancer"
	"go-ai-proxy/plugin/cluster"
	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/resp"
	"go-ai-proxy/plugin/semantic"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
)

// Relay serves the requests of all instances of the plugin.
type Relay struct {
	log      zerolog.Logger
	upstream wire.Upstream
	states   *balancer.Store // what is known of targets, across configurations

	pause time.Duration // between two questions whether something is ready

	leaving chan struct{} // closed when sessions must end

	embeddings *semantic.Cache
	paid       record.Paid   // what has been counted and can be read again
	node       *cluster.Node // nil where states are this process's own
}

// NewRelay returns a relay that calls providers over HTTP, by that engine.
func NewRelay(log zerolog.Logger, kind engine.Kind) *Relay {
	resp.LogTo(log)
	return &Relay{
		log: log, upstream: newHTTPUpstream(kind), states: balancer.NewStore(), pause: pollPause, leaving: make(chan struct{}),
		embeddings: semantic.NewCache(embeddingsKept, embeddingsKeptFor),
	}
}

// RedisEnv names the environment variable with the URL of the Redis through
// which nodes share what they know of targets.
const RedisEnv = "GO_AI_PROXY_REDIS"

// Share lets the relay share usage, latency and health of targets with those of
// other nodes, through the Redis at url (redis://…, rediss://… for TLS). It
// does not wait for Redis, nor does any request. "" shares nothing.
func (r *Relay) Share(url string) error {
	if url == "" {
		return nil
	}
	var err error
	if r.node, err = cluster.Join(url, r.states, r.log); err != nil {
		return fmt.Errorf("%s: %w", RedisEnv, err)
	}
	return nil
}

// Close stops sharing and ends idle connections to providers.
func (r *Relay) Close() {
	if r.node != nil {
		r.node.Close()
	}
	if c, ok := r.upstream.(interface{ close() }); ok {
		c.close()
	}
}

// Serve answers one request and returns its record, however it ended. live may
// be nil.
func (r *Relay) Serve(ctx context.Context, inst *Instance, in *Inbound, out wire.Sink, live record.Live) (rec *record.Record) {
	q := &request{relay: r, instance: inst, in: in, client: client{sink: out}, live: live}
	rec = inst.record()
	q.record = rec
	q.start = time.Now()
	rec.Update(func(d *record.Data) { d.Started = q.start })
	if live != nil {
		rec.Watch()
		live.Begin(rec)
	}
	defer func() {
		if p := recover(); p != nil {
			r.log.Error().Str("stack", string(debug.Stack())).Msg("panic while serving a request")
			q.fail(record.Panicked, refuse(http.StatusInternalServerError, "internal error"))
		}
	}()
	if err := q.serve(ctx); err != nil {
		q.end(ctx, err)
	}
	q.giveBack(true)
	return rec
}

// serve takes the request through its phases. An error is what the client is
// still to be told.
func (q *request) serve(ctx context.Context) error {
	if q.instance.broken != nil {
		return q.instance.broken
	}
	if err := q.read(); err != nil {
		return err
	}
	return q.attempts(ctx)
}

// end tells the client why there is no answer and settles the record.
func (q *request) end(ctx context.Context, err error) {
	if ctx.Err() != nil || errors.Is(err, errClientGone) {
		q.fail(record.Aborted, refuse(statusClientClosed, textClientClosed))
		return
	}
	e := asClientError(err)
	outcome := record.Refused
	if len(q.record.Data().Tried) > 0 && e.Status >= 500 { // a form may be refused while it is sent
		outcome = record.Failed
	}
	var said *reported
	var why *unready
	switch {
	case errors.As(err, &said):
		q.finish(outcome, said.Error())
	case errors.As(err, &why):
		q.finish(outcome, why.Error())
	}
	if e.Status >= 500 {
		q.relay.log.Warn().Str("plugin_id", q.instance.config.PluginID).Int("status", e.Status).Str("error", redact(err)).Msg("request failed")
	}
	q.fail(outcome, e)
}

// fail ends the request with an error of the relay's own. After the first byte
// of a stream it becomes the format's error event.
func (q *request) fail(outcome record.Outcome, e *chat.Error) {
	q.finish(outcome, e.Message)
	if outcome == record.Aborted {
		q.client.sink.Abort()
		return
	}
	if q.client.started {
		if q.encoder != nil || q.streaming {
			q.errorEvent(e)
			return
		}
		q.client.sink.Abort()
		return
	}
	q.sendError(e)
}

// errClientGone is what a sink's failure becomes.
var errClientGone = errors.New("the client is gone")

// client is the sink with what the relay must remember of it.
type client struct {
	sink    wire.Sink
	started bool
}

func (c *client) start(status int, header http.Header, length int64) error {
	c.started = true
	if c.sink.Start(status, header, length) != nil {
		return errClientGone
	}
	return nil
}

func (c *client) write(p []byte) error {
	if len(p) > 0 && c.sink.Write(p) != nil {
		return errClientGone
	}
	return nil
}

func (c *client) flush() error {
	if c.sink.Flush() != nil {
		return errClientGone
	}
	return nil
}
