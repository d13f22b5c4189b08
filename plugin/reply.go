package plugin

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"go-ai-proxy/plugin/budget"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/openai"
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
	if p.seen != nil {
		d.ID, d.Model = []byte(p.seen.ID), []byte(p.seen.Model)
	}
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
