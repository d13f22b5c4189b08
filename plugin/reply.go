package plugin

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"go-ai-proxy/plugin/budget"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/responsecache"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/route"
)

// reply is the client's side of an exchange: the sink, and what has been sent to
// it.
type reply struct {
	sink     wire.Sink
	live     record.Live // nil when nobody waits for the record
	instance *Instance
	request  *request
	record   *record.Record
	seen     *chat.Seen // what the delivered answer said; nil for none
	budgets  []budget.State
	id       string // of a translated answer, once needed

	// claim, if set, must allow the first byte to the client; errLost ends the attempt.
	claim     func() error
	cached    string       // whether the answer was kept: see headerCache; "" for no cache
	started   bool         // the header has been sent
	status    int          // in it
	streaming bool         // the answer has begun as a stream
	encoder   chat.Encoder // of a translated stream
}

// start sends the header of an answer of length bytes, or -1 when that is unknown.
func (p *reply) start(status int, h http.Header, length int64) error {
	if err := p.commit(); err != nil {
		return err
	}
	p.announce(h)
	p.started, p.status = true, status
	if p.sink.Start(status, h, length) != nil {
		return wire.ErrClientGone
	}
	return nil
}

func (p *reply) write(b []byte) error {
	if len(b) > 0 && p.sink.Write(b) != nil {
		return wire.ErrClientGone
	}
	return nil
}

func (p *reply) flush() error {
	if p.sink.Flush() != nil {
		return wire.ErrClientGone
	}
	return nil
}

// send gives the client a whole answer. The record must be settled: it goes with
// the header.
func (p *reply) send(status int, h http.Header, body []byte) error {
	if err := p.start(status, h, int64(len(body))); err != nil {
		return err
	}
	return p.write(body)
}

// sendEncoded is like send, but gzips the body when the provider's answer was
// gzipped and the client accepts gzip.
func (p *reply) sendEncoded(status int, h http.Header, body []byte, gzipped bool) error {
	if gzipped && p.request.gzip {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(body); err == nil && z.Close() == nil {
			h["Content-Encoding"] = []string{"gzip"}
			body = b.Bytes()
		}
	}
	return p.send(status, h, body)
}

// errLost ends an attempt that must not answer: it came too late.
var errLost = errors.New("another attempt answers")

// commit makes the attempt the one that answers. Before it nothing may be sent, and
// the record not be settled; after it the attempt cannot be replaced.
func (p *reply) commit() error {
	claim := p.claim
	if claim == nil {
		return nil
	}
	p.claim = nil
	return claim()
}

// announce tells whoever waits for the record that an answer begins.
func (p *reply) announce(h http.Header) {
	p.explain(h)
	budget.SetHeaders(h, p.budgets)
	if p.cached != "" {
		h[headerCache] = []string{p.cached}
	}
	if p.live != nil {
		p.live.Announce(h, p.record)
	}
}

// sendError answers with an error of the relay's own, in the client's format.
func (p *reply) sendError(e *chat.Error) {
	if err := p.sendErrorAs(e, false); err != nil {
		p.sink.Abort()
	}
}

// sendFailedStream answers with a stream that fails, for clients that understand an
// error in no other way.
func (p *reply) sendFailedStream(h http.Header, e *chat.Error, meta *chat.Meta) error {
	asStream(h, cmp.Or(p.request.api.Media, "text/event-stream"))
	if err := p.start(http.StatusOK, h, -1); err != nil {
		return err
	}
	p.encoder = p.request.api.Dialect.NewEncoder(*meta)
	p.errorEvent(e)
	return nil
}

func (p *reply) sendErrorAs(e *chat.Error, gzipped bool) error {
	h := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	if e.RetryAfter > 0 {
		h["Retry-After"] = []string{seconds(e.RetryAfter)}
	}
	if e.Allow != "" {
		h["Allow"] = []string{e.Allow}
	}
	p.markError(h, e.Status)
	return p.sendEncoded(e.Status, h, p.appendError(e), gzipped)
}

// markError sets the header that names the kind of error, in formats that have
// one.
func (p *reply) markError(h http.Header, status int) {
	if n := p.instance.native(); n != nil && n.ErrorHeader != nil {
		name, value := n.ErrorHeader(status)
		h[name] = []string{value}
	}
}

// appendError returns e in the client's format.
func (p *reply) appendError(e *chat.Error) []byte {
	if p.request.api != nil && p.request.api.Dialect != nil {
		return p.request.api.Dialect.AppendError(nil, e)
	}
	if n := p.instance.native(); n != nil {
		return n.Errors.AppendError(nil, e)
	}
	return openai.Chat.AppendError(nil, e)
}

// errorEvent ends a stream with an error event in the client's format. A format
// without error events has its connection broken, so that the answer does not look
// complete.
func (p *reply) errorEvent(e *chat.Error) {
	b := p.errorFrame(e)
	if b == nil {
		p.sink.Abort()
		return
	}
	if p.write(b) == nil {
		_ = p.flush() // a client that is gone needs no error
	}
}

func (p *reply) errorFrame(e *chat.Error) []byte {
	d := &chat.Delta{Kind: chat.ErrorDelta, Err: e}
	if p.encoder != nil {
		return p.encoder.Append(nil, d)
	}
	dialect := p.request.api.Dialect
	if n := p.instance.native(); n != nil && dialect == nil {
		dialect, _ = n.Errors.(chat.Dialect)
	}
	switch {
	case p.request.api.Framing == frame.Array, p.request.api.Framing == frame.Lines:
		return nil
	case p.request.api.BareData || dialect == nil:
		return frame.AppendSSE(nil, nil, p.appendError(e))
	}
	return dialect.NewEncoder(chat.Meta{}).Append(nil, d)
}

// noteFirst records when the first content arrived.
func (p *reply) noteFirst() {
	first := max(time.Since(p.request.start), 1)
	p.record.Update(func(d *record.Data) { d.First = first })
}

// identify returns the id of a translated answer, the same for all attempts.
func (p *reply) identify() string {
	if p.id == "" {
		p.id = newID()
	}
	return p.id
}

// newID returns a random id of 29 letters and digits, like OpenAI's.
func newID() string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	var b [29]byte
	n := uint64(0)
	for i := range b {
		if i%10 == 0 { // ten digits in base 62 are below 2⁶⁴
			n = rand.Uint64()
		}
		b[i], n = alphabet[n%uint64(len(alphabet))], n/uint64(len(alphabet))
	}
	return string(b[:])
}

// finish settles the record. Only the first call has an effect.
func (p *reply) finish(outcome record.Outcome, message string) {
	var estimate *chat.Usage
	if p.record.Outcome() == record.Pending {
		if u, ok := p.estimate(outcome); ok { // reads the client's body: not under the lock
			estimate = &u
		}
	}
	if p.record.Settle(outcome, message, estimate) && p.live != nil {
		p.live.Settle(p.record)
	}
}

// estimate returns the usage of an answer for which the provider counted nothing,
// or not everything. Like Kong, it takes 1 token per word of the prompt (1.8 when
// streamed) and 1 token per four bytes of the answer. ok is false when nothing is
// estimated.
//
// Many providers count the output at the end of a stream, and some count the
// prompt at its start. So for a stream that did not reach its end, the output is
// estimated even when there are counts.
func (p *reply) estimate(outcome record.Outcome) (u chat.Usage, ok bool) {
	if p.seen == nil || outcome == record.Refused || outcome == record.Panicked || p.request.api == nil {
		return u, false
	}
	status, counted := p.record.Answered()
	if status != http.StatusOK {
		return u, false
	}
	if outcome == record.Completed && (p.seen.HasUsage || p.request.api.Prose == nil) {
		return u, false
	}
	u = counted
	if !p.seen.HasUsage && p.request.api.Prose != nil && u.Prompt == 0 {
		u.Prompt, u.Total, ok = record.PromptTokens(p.request.api.Prose(p.request.members), p.request.stream), 0, true
	}
	return u, record.EstimateOutput(&u, p.seen.TextLen) || ok
}

// collect keeps the text of a streamed answer for the log.
func (p *reply) collect(text []byte) {
	p.record.Update(func(d *record.Data) {
		d.Streamed = true
		if len(d.Answer) > maxCollected {
			return
		}
		d.Answer = append(d.Answer, text...)
	})
}

// seconds is d in whole seconds, at least one, for a Retry-After header.
func seconds(d time.Duration) string {
	return string(number(max(1, int(math.Ceil(d.Seconds())))))
}

// Headers of the answer to a request with Kong-Debug: which target was chosen,
// why, and what was tried. They hold names and numbers only, no secret of the
// configuration.
const (
	headerTarget    = "X-Kong-Llm-Target"
	headerAlgorithm = "X-Kong-Llm-Algorithm"
	headerAttempts  = "X-Kong-Llm-Attempts"
	headerReason    = "X-Kong-Llm-Reason"
)

// debugged says whether the client asks for debug headers and the configuration
// allows them.
func (p *reply) debugged() bool {
	return p.instance.config.Debug && len(p.request.in.Header["Kong-Debug"]) > 0
}

// explain adds the debug headers to an answer.
func (p *reply) explain(h http.Header) {
	if !p.debugged() || p.instance.balancer == nil {
		return
	}
	d := p.record.Data()
	var attempts []string
	for i := range d.Tried {
		t := &d.Tried[i]
		attempts = append(attempts, fmt.Sprintf("%s/%s=%s", t.Provider, t.Model, t.Outcome))
	}
	h[headerAlgorithm] = []string{d.Algorithm}
	if len(attempts) > 0 {
		last := &d.Tried[len(d.Tried)-1]
		h[headerTarget] = []string{wire.HeaderValue(last.Provider + "/" + last.Model)}
		h[headerAttempts] = []string{wire.HeaderValue(strings.Join(attempts, ", "))}
	}
	if d.Reason != "" {
		h[headerReason] = []string{wire.HeaderValue(d.Reason)}
	}
}

// Texts of the error catalogue that are used in more than one place. They are
// Kong's.
const (
	textBeforeProxy  = "LLM request failed before proxying"
	textBadGateway   = "An invalid response was received from the upstream server"
	textUnavailable  = "The upstream server is currently unavailable"
	textTimeout      = "The upstream server is timing out"
	textNoModel      = "model parameter not found in request, nor in gateway configuration"
	textNoStreaming  = "response streaming is not enabled for this LLM"
	textClientClosed = record.MessageAborted
)

// statusClientClosed is nginx's status for a client that closed its connection.
const statusClientClosed = 499

// refuse makes an error of the relay's own, sent to the client with status.
func refuse(status int, message string) *chat.Error { return chat.NewError(status, message) }

// notAllowed refuses a method; allowed are the methods that what has.
func notAllowed(method, what string, allowed ...string) *chat.Error {
	return routes.NotAllowed(method, what, allowed...)
}

// badField refuses a member of the body.
func badField(field, message string) *chat.Error {
	e := refuse(http.StatusBadRequest, message)
	e.Param = field
	return e
}

// reported is an error that the provider sent in a 200. Only the client gets its
// text, which may quote the prompt.
type reported struct{ err *chat.Error }

func (r *reported) Error() string {
	if r.err.Type == "" {
		return "the provider sent an error instead of an answer"
	}
	return "the provider sent an error instead of an answer: " + r.err.Type
}

func (r *reported) Unwrap() error { return r.err }

// unready is the error of a target that cannot be called: an option or the
// credentials are missing. The client gets Kong's text and the field. why, which
// holds no secret, goes into the log and the record.
type unready struct {
	told *chat.Error
	why  error
}

func (u *unready) Error() string { return redact(u.why) }
func (u *unready) Unwrap() error { return u.told }

// asClientError turns any error into what the client gets. Errors that are not
// meant for clients become a 500 without their text.
func asClientError(err error) *chat.Error {
	var own *chat.Error
	if errors.As(err, &own) {
		return own
	}
	var req *chat.RequestError
	if errors.As(err, &req) {
		e := refuse(http.StatusBadRequest, req.Error())
		e.Param = req.Field
		return e
	}
	var tr *wire.TransportError
	if errors.As(err, &tr) {
		switch {
		case tr.Timeout:
			return refuse(http.StatusGatewayTimeout, textTimeout)
		case tr.Phase == wire.Connecting:
			return refuse(http.StatusServiceUnavailable, textUnavailable)
		}
		return refuse(http.StatusBadGateway, textBadGateway)
	}
	return refuse(http.StatusInternalServerError, "internal error")
}

// redact is an error's text without the queries of URLs, which may hold a key.
func redact(err error) string {
	fields := strings.Fields(err.Error())
	for i, f := range fields {
		if j := strings.IndexByte(f, '?'); j >= 0 && strings.Contains(f, "://") {
			fields[i] = f[:j] + "?…"
		}
	}
	return strings.Join(fields, " ")
}

// headerCache tells the client whether the answer is one that was kept: hit, miss or
// bypass.
const headerCache = "X-Kong-Llm-Cache"

// The states of a request, as the header and the record name them.
const (
	cacheHit    = "hit"
	cacheMiss   = "miss"
	cacheBypass = "bypass" // it may not be answered with a kept answer
)

// newAnswers returns the cache of the configuration's answers, nil if it has none.
func newAnswers(inst *Instance) *responsecache.Cache {
	if inst.config.ResponseCache == nil {
		return nil
	}
	scope, err := json.Marshal(inst.config)
	if err != nil { // a scope that many have would mix their answers
		scope = []byte(newID())
	}
	return responsecache.Open(inst.config.ResponseCache, scope, inst.relay.answers)
}

// recall answers from the cache, if it has the answer; otherwise it sees to it that keep
// can put the answer there.
func recall(ctx context.Context, b *balancing, candidates []int) (answered bool, err error) {
	x, answers := b.exchange, b.exchange.instance.answers
	if answers == nil || !isKept(&x.request) {
		return false, nil
	}
	note := func(state string) { // before the answer begins: the record goes with its header
		x.reply.cached = state
		x.record.Update(func(d *record.Data) { d.ResponseCache = state })
	}
	note(cacheBypass)
	asked, ok := cacheRequest(b, candidates)
	if !ok {
		return false, nil
	}
	use := answers.Use(asked)
	if !use.Write {
		return false, nil
	}
	key := answers.Key(asked)
	if use.Read {
		if e := answers.Get(ctx, key); e != nil {
			note(cacheHit)
			return true, replay(b, candidates[0], e)
		}
		note(cacheMiss)
	}
	b.capture = responsecache.NewCapture(x.reply.sink, key, headerModel, headerLeftOut)
	x.reply.sink = b.capture
	return false, nil
}

// isKept says whether answers to such requests may be kept: text and vectors.
func isKept(q *request) bool {
	return responsecache.Keeps(q.route) && q.in.Method == http.MethodPost && q.sub == "" && q.members != nil && q.api.Count == nil && q.in.Upgrade == nil
}

// cacheRequest is all that the answer depends on. ok is false if a target's model cannot be
// known.
func cacheRequest(b *balancing, candidates []int) (r *responsecache.Request, ok bool) {
	inst, q := b.exchange.instance, &b.exchange.request
	r = &responsecache.Request{
		Route: q.in.Kong.Route, Path: q.in.Path, Query: q.in.RawQuery, API: string(q.api.Format), Model: q.model,
		Stream: q.stream, Gzip: q.gzip, Members: q.members, CacheControl: q.in.Header["Cache-Control"], Deterministic: q.route == route.Embeddings,
		Consumer: q.in.Kong.Consumer.ID, Groups: q.in.Kong.Groups,
	}
	unknown := r.Consumer == "" && !(inst.config.ResponseCache.Per != nil && len(*inst.config.ResponseCache.Per) == 0)
	for n, i := range candidates {
		t := inst.targets[i]
		resolved, err := t.Resolve(q, q.model)
		if err != nil {
			return nil, false
		}
		options, _ := json.Marshal(resolved.Options) // numbers and strings only: it cannot fail
		r.Targets = append(r.Targets, t.Model.Provider, resolved.Model, string(options))
		unknown = unknown || t.Auth.AllowOverride
		own := resolved.Options.Temperature
		if n > 0 && (own == nil) != (r.Temperature == nil) || own != nil && r.Temperature != nil && *own != *r.Temperature {
			r.MixedOverrides = true
		}
		r.Temperature = own
	}
	r.Headers = responsecache.Distinguishing(q.in.Header, unknown)
	return r, true
}

// replay gives the client a kept answer. Its usage and cost are recorded as saved.
func replay(b *balancing, i int, e *responsecache.Entry) error {
	x := b.exchange
	x.record.Update(func(d *record.Data) {
		t := x.instance.targets[i]
		t.Describe(d)
		d.Options, d.Price = nil, nil
		d.Provider, d.Model, d.ResponseModel = e.Provider, e.Model, e.ResponseModel
		d.Saved = &record.Saved{Usage: e.Usage, Cost: e.Cost}
		if e.Stream {
			d.Mode = record.Stream
		}
		if t.Logging.Payloads {
			d.Request = x.request.body
			if !e.Stream {
				d.Answer = e.Body
			}
		}
	})
	h := make(http.Header, len(e.Header)+4)
	for name, values := range e.Header {
		h[name] = values
	}
	if e.Stream {
		x.reply.noteFirst()
	}
	x.reply.finish(record.Completed, "")
	if !e.Stream {
		return x.reply.send(http.StatusOK, h, e.Body)
	}
	if err := x.reply.start(http.StatusOK, h, -1); err != nil {
		return err
	}
	if err := x.reply.write(e.Body); err != nil {
		return err
	}
	return x.reply.flush()
}

// keep puts the answer into the cache, if it is a whole one.
func keep(ctx context.Context, b *balancing, err error) {
	if b.capture == nil || err != nil || ctx.Err() != nil {
		return
	}
	e, whole := b.capture.Entry()
	d := b.exchange.record.Data()
	if !whole || d.Outcome != record.Completed {
		return
	}
	e.Provider, e.Model, e.ResponseModel, e.Usage, e.Cost = d.Provider, d.Model, d.ResponseModel, d.Usage, d.Cost()
	b.exchange.instance.answers.Put(ctx, b.capture.Key, e)
}
