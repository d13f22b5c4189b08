package plugin

import (
	"bytes"
	"compress/gzip"
	"math"
	"math/rand/v2"
	"net/http"
	"time"

	"go-ai-proxy/plugin/record"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/openai"
)

// send gives the client an answer whole. The record must be settled: it goes
// with the header.
func (q *request) send(status int, h http.Header, body []byte) error {
	q.announce(h)
	if err := q.client.start(status, h, int64(len(body))); err != nil {
		return err
	}
	return q.client.write(body)
}

// sendEncoded is send, gzipped where the provider's answer was and the client
// takes it.
func (q *request) sendEncoded(status int, h http.Header, body []byte, gzipped bool) error {
	if gzipped && q.gzip {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(body); err == nil && z.Close() == nil {
			h["Content-Encoding"] = []string{"gzip"}
			body = b.Bytes()
		}
	}
	return q.send(status, h, body)
}

// startStream sends the header of an answer whose end is not known yet.
func (q *request) startStream(status int, h http.Header) error {
	return q.startBytes(status, h, -1)
}

// startBytes sends the header of an answer of known length, or -1, whose body
// is not held.
func (q *request) startBytes(status int, h http.Header, length int64) error {
	q.announce(h)
	return q.client.start(status, h, length)
}

// announce tells whoever waits for the record that an answer begins.
func (q *request) announce(h http.Header) {
	q.explain(h)
	if q.live != nil {
		q.live.Announce(h, q.record)
	}
}

// sendError answers with an error of the relay's own, in the client's format.
func (q *request) sendError(e *chat.Error) {
	if err := q.sendErrorAs(e, false); err != nil {
		q.client.sink.Abort()
	}
}

func (q *request) sendErrorAs(e *chat.Error, gzipped bool) error {
	h := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	if e.RetryAfter > 0 {
		h["Retry-After"] = []string{seconds(e.RetryAfter)}
	}
	if e.Allow != "" {
		h["Allow"] = []string{e.Allow}
	}
	q.markError(h, e.Status)
	return q.sendEncoded(e.Status, h, q.appendError(e), gzipped)
}

// markError sets the header in which the format says what an error is.
func (q *request) markError(h http.Header, status int) {
	if n := q.instance.native(); n != nil && n.ErrorHeader != nil {
		name, value := n.ErrorHeader(status)
		h[name] = []string{value}
	}
}

// appendError is e as the client's format has errors.
func (q *request) appendError(e *chat.Error) []byte {
	if q.api != nil && q.api.Dialect != nil {
		return q.api.Dialect.AppendError(nil, e)
	}
	if n := q.instance.native(); n != nil {
		return n.Errors.AppendError(nil, e)
	}
	return openai.Chat.AppendError(nil, e)
}

// errorEvent ends a stream with the client's form of an error. A format without
// one in mid-stream has its connection broken, so that the answer does not look
// complete.
func (q *request) errorEvent(e *chat.Error) {
	b := q.errorFrame(e)
	if b == nil {
		q.client.sink.Abort()
		return
	}
	if q.client.write(b) == nil {
		_ = q.client.flush() // a client that is gone by now needs no error
	}
}

func (q *request) errorFrame(e *chat.Error) []byte {
	d := &chat.Delta{Kind: chat.ErrorDelta, Err: e}
	if q.encoder != nil {
		return q.encoder.Append(nil, d)
	}
	dialect := q.api.Dialect
	if n := q.instance.native(); n != nil && dialect == nil {
		dialect, _ = n.Errors.(chat.Dialect)
	}
	switch {
	case q.api.Framing == frame.Array, q.api.Framing == frame.Lines:
		return nil
	case q.api.BareData || dialect == nil:
		return frame.AppendSSE(nil, nil, q.appendError(e))
	}
	return dialect.NewEncoder(chat.Meta{}).Append(nil, d)
}

// meta is what an answer needs that the provider may leave out; the same for
// all of one request.
func (a *attempt) meta() chat.Meta {
	if a.request.id == "" {
		a.request.id = newID()
	}
	m := chat.Meta{ID: a.request.id, Created: a.start.Unix(), Model: a.target.Model, IncludeUsage: a.usage}
	if a.api.PromptFirst {
		m.PromptTokens = record.PromptTokens(a.api.Prose(a.members), a.stream)
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
func (a *attempt) observeResponse(resp *chat.Response) {
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
	a.settleSeen()
}

// meterWhole reads usage from an answer that is forwarded as it came.
func (a *attempt) meterWhole(whole []byte) {
	meter := a.op.Meter
	if a.how == untouched {
		meter = openai.Meter
	}
	if meter == nil {
		return
	}
	meter.Whole(whole, &a.seen)
	a.meterHeaders()
	a.settleSeen()
}

// meterHeaders reads the usage of an answer that tells it in headers only.
func (a *attempt) meterHeaders() {
	if !a.seen.HasUsage && a.op.MeterHeaders != nil {
		a.op.MeterHeaders(a.answer.Header, &a.seen)
	}
}

// seconds is d for a Retry-After header, at least one.
func seconds(d time.Duration) string {
	return string(number(max(1, int(math.Ceil(d.Seconds())))))
}
