package plugin

import (
	"bytes"
	"compress/gzip"
	"math"
	"math/rand/v2"
	"net/http"
	"time"

	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/openai"
)

// reply is what the client gets: the sink, and what must be remembered of it.
type reply struct {
	sink     wire.Sink
	live     record.Live // nil where nobody waits for the record
	instance *Instance
	request  *request
	record   *record.Record

	started   bool         // the header has been sent
	streaming bool         // the answer has begun as a stream
	encoder   chat.Encoder // of a translated stream
}

func (p *reply) start(status int, header http.Header, length int64) error {
	p.started = true
	if p.sink.Start(status, header, length) != nil {
		return errClientGone
	}
	return nil
}

func (p *reply) write(b []byte) error {
	if len(b) > 0 && p.sink.Write(b) != nil {
		return errClientGone
	}
	return nil
}

func (p *reply) flush() error {
	if p.sink.Flush() != nil {
		return errClientGone
	}
	return nil
}

// send gives the client an answer whole. The record must be settled: it goes
// with the header.
func (p *reply) send(status int, h http.Header, body []byte) error {
	p.announce(h)
	if err := p.start(status, h, int64(len(body))); err != nil {
		return err
	}
	return p.write(body)
}

// sendEncoded is send, gzipped where the provider's answer was and the client
// takes it.
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

// startStream sends the header of an answer whose end is not known yet.
func (p *reply) startStream(status int, h http.Header) error {
	return p.startBytes(status, h, -1)
}

// startBytes sends the header of an answer of known length, or -1, whose body
// is not held.
func (p *reply) startBytes(status int, h http.Header, length int64) error {
	p.announce(h)
	return p.start(status, h, length)
}

// announce tells whoever waits for the record that an answer begins.
func (p *reply) announce(h http.Header) {
	p.explain(h)
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

// markError sets the header in which the format says what an error is.
func (p *reply) markError(h http.Header, status int) {
	if n := p.instance.native(); n != nil && n.ErrorHeader != nil {
		name, value := n.ErrorHeader(status)
		h[name] = []string{value}
	}
}

// appendError is e as the client's format has errors.
func (p *reply) appendError(e *chat.Error) []byte {
	if p.request.api != nil && p.request.api.Dialect != nil {
		return p.request.api.Dialect.AppendError(nil, e)
	}
	if n := p.instance.native(); n != nil {
		return n.Errors.AppendError(nil, e)
	}
	return openai.Chat.AppendError(nil, e)
}

// errorEvent ends a stream with the client's form of an error. A format without
// one in mid-stream has its connection broken, so that the answer does not look
// complete.
func (p *reply) errorEvent(e *chat.Error) {
	b := p.errorFrame(e)
	if b == nil {
		p.sink.Abort()
		return
	}
	if p.write(b) == nil {
		_ = p.flush() // a client that is gone by now needs no error
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

// meta is what an answer needs that the provider may leave out; the same for
// all of one request.
func (a *attempt) meta() chat.Meta {
	if a.exchange.id == "" {
		a.exchange.id = newID()
	}
	m := chat.Meta{ID: a.exchange.id, Created: a.exchange.start.Unix(), Model: a.target.Model, IncludeUsage: a.request.usage}
	if a.request.api.PromptFirst {
		m.PromptTokens = record.PromptTokens(a.request.api.Prose(a.request.members), a.request.stream)
	}
	return m
}

// newID is a random id of 29 letters and digits, like OpenAI's.
func newID() string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	var b [29]byte
	n := uint64(0)
	for i := range b {
		if i%10 == 0 { // ten of them are below 2⁶⁴
			n = rand.Uint64()
		}
		b[i], n = alphabet[n%uint64(len(alphabet))], n/uint64(len(alphabet))
	}
	return string(b[:])
}

// observeResponse keeps what a translated answer says for the record.
func observeResponse(a *attempt, resp *chat.Response) {
	a.seen.Usage, a.seen.HasUsage = resp.Usage, !resp.NoUsage
	a.seen.Model = resp.Model
	if resp.ServiceTier != "" {
		a.seen.Usage.ServiceTier = resp.ServiceTier
	}
	for i := range resp.Choices {
		a.seen.Finish = resp.Choices[i].Finish
		for j := range resp.Choices[i].Parts {
			a.seen.TextLen += len(resp.Choices[i].Parts[j].Text)
		}
	}
	settleSeen(a)
}

// meterWhole reads usage from an answer that is forwarded as it came.
func meterWhole(a *attempt, whole []byte) {
	meter := a.op.Meter
	if a.how == untouched {
		meter = openai.Meter
	}
	if meter == nil {
		return
	}
	meter.Whole(whole, &a.seen)
	meterHeaders(a)
	settleSeen(a)
}

// meterHeaders reads the usage of an answer that tells it in headers only.
func meterHeaders(a *attempt) {
	if !a.seen.HasUsage && a.op.MeterHeaders != nil {
		a.op.MeterHeaders(a.answer.Header, &a.seen)
	}
}

// seconds is d for a Retry-After header, at least one.
func seconds(d time.Duration) string {
	return string(number(max(1, int(math.Ceil(d.Seconds())))))
}
