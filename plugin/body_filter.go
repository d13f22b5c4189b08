package plugin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
)

// deliver gives the provider's answer to the client.
func (a *attempt) deliver(ctx context.Context) error {
	if a.how == untouched {
		return a.passThrough(ctx, a.answer.Body)
	}
	if err := a.checkStatus(); err != nil {
		return err
	}
	body, gzipped, err := inflate(a.answer)
	if err != nil {
		return err
	}
	switch {
	case a.answer.Status >= 300:
		whole, err := a.readAnswer(body, a.answer.Length())
		if err != nil {
			return transportFailure(err)
		}
		return a.failedWith(whole, gzipped)
	}
	contentType := wire.First(a.answer.Header, "Content-Type")
	kind, known := frame.KindOf(contentType, frame.SSE)
	switch {
	case a.how == viaChat && a.stream && known:
		return a.deliverStream(ctx, frame.New(kind, body, frame.MaxEvent))
	case a.how == same && kind == frame.SSE && (a.stream && known || contentType != "" && known),
		a.how == same && a.stream && known && (kind == a.api.Framing || a.op.Unwrap != nil && kind == frame.EventStream):
		return a.deliverStream(ctx, frame.New(kind, body, frame.MaxEvent))
	case a.how == same && !a.api.BareData && strings.HasPrefix(contentType, "text/html") && !strings.HasSuffix(a.sub, "/content"):
		return noAnswer("error", "the provider answered with a page (text/html): correct model.options.upstream_url")
	case a.how == same && !a.api.BareData && (!known || kind == frame.Lines || strings.HasSuffix(a.sub, "/content")):
		return a.deliverBytes(ctx, body)
	}
	return a.deliverWhole(ctx, body, gzipped)
}

// passThrough forwards an answer byte for byte, as preserve wants it. What is
// no JSON is not held.
func (a *attempt) passThrough(ctx context.Context, body io.Reader) error {
	kind, known := frame.KindOf(wire.First(a.answer.Header, "Content-Type"), frame.Array)
	if !known || kind != frame.Array || a.bodiless() {
		return a.deliverBytes(ctx, body)
	}
	whole, err := a.readAnswer(body, a.answer.Length())
	if err != nil {
		return err
	}
	h := a.encodedHeaders()
	a.meterWhole(whole)
	a.finish(outcomeFor(a.answer.Status), "")
	return a.send(a.answer.Status, h, whole)
}

// bodiless says that the answer has no body, whatever length it names: that is
// of what GET would bring.
func (a *attempt) bodiless() bool {
	return a.in.Method == http.MethodHead || a.answer.Status == http.StatusNoContent || a.answer.Status == http.StatusNotModified
}

func outcomeFor(status int) record.Outcome {
	if status >= 400 {
		return record.Failed
	}
	return record.Completed
}

// deliverWhole gives the client the whole answer, translated or as it came.
func (a *attempt) deliverWhole(ctx context.Context, body io.Reader, gzipped bool) error {
	whole, err := a.readAnswer(body, a.answer.Length())
	if err != nil {
		return transportFailure(err)
	}
	if a.how == viaResource {
		return a.unusable(a.deliverResource(ctx, whole, gzipped), gzipped)
	}
	out, err := a.convert(whole)
	if err != nil {
		return a.unusable(err, gzipped)
	}
	if a.endpoint.Logging.Payloads {
		a.record.Update(func(d *record.Data) { d.Answer = out })
	}
	a.finish(record.Completed, "")
	h := a.clientHeaders()
	if a.how != same || h["Content-Type"] == nil {
		h["Content-Type"] = isJSONInUTF8
	}
	return a.sendEncoded(a.answer.Status, h, out, gzipped)
}

// unusable answers a 2xx that nobody can make sense of; other errors stay.
func (a *attempt) unusable(err error, gzipped bool) error {
	bad, ok := errors.AsType[*chat.ResponseError](err)
	if !ok {
		return err
	}
	e := refuse(http.StatusInternalServerError, fmt.Sprintf("transformation failed from type %s: %s", a.name(), bad.Message))
	if a.replaceable {
		return &attemptError{criterion: "error", sent: true, cause: e}
	}
	a.finish(record.Failed, e.Message)
	return a.sendErrorAs(e, gzipped)
}

// deliverBytes passes on an answer that is neither JSON nor events, as it
// comes: sound, pictures, files. One of known length need not be hurried.
func (a *attempt) deliverBytes(ctx context.Context, body io.Reader) error {
	a.streaming = false
	length := a.answer.Length()
	var h http.Header
	if a.how == untouched {
		h = a.encodedHeaders()
	} else {
		h = a.clientHeaders()
	}
	if length < 0 {
		h["X-Accel-Buffering"] = []string{"no"}
	}
	if err := a.startBytes(a.answer.Status, h, length); err != nil {
		return err
	}
	lines := a.batchOutput()
	complete := sync.OnceFunc(func() {
		if lines != nil {
			lines.End(&a.seen)
			a.settleSeen()
		}
		a.finish(outcomeFor(a.answer.Status), "")
	})
	buf := byteBuffers.Get().(*[]byte)
	defer byteBuffers.Put(buf)
	for rest := length; ; {
		n, err := body.Read(*buf)
		if n > 0 {
			if lines != nil {
				lines.Read((*buf)[:n], &a.seen)
			}
			if rest -= int64(n); rest == 0 { // with the last byte the answer is over for Kong
				complete()
			}
			if err := a.client.write((*buf)[:n]); err != nil {
				return err
			}
			if length < 0 {
				if err := a.client.flush(); err != nil {
					return err
				}
			}
		}
		switch {
		case err == io.EOF:
			complete()
			return nil
		case err != nil && ctx.Err() != nil:
			return errClientGone
		case err != nil:
			a.finish(record.CutOff, "the provider ended its answer before its end")
			a.client.sink.Abort()
			return nil
		}
	}
}

// byteBuffers are for answers that pass.
var byteBuffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// batchOutput reads the usage out of a file that may be the output of a batch;
// nil for other answers.
func (a *attempt) batchOutput() *openai.BatchOutput {
	if a.family != "files" || a.how != same || !strings.HasSuffix(a.sub, "/content") {
		return nil
	}
	return &openai.BatchOutput{}
}

// encodedHeaders are those of an answer that stays as the provider encoded it.
func (a *attempt) encodedHeaders() http.Header {
	encoding := a.answer.Header["Content-Encoding"]
	h := a.clientHeaders()
	if encoding != nil {
		h["Content-Encoding"] = encoding
	}
	return h
}

// convert returns the client's form of a whole answer and takes its usage.
func (a *attempt) convert(whole []byte) ([]byte, error) {
	switch a.how {
	case viaChat:
		resp, err := a.op.Chat.ParseResponse(a.target, whole)
		if err != nil {
			a.meterWhole(whole) // what is of no use was paid all the same
			return nil, err
		}
		a.observeResponse(resp)
		resp.Meta = a.meta()
		return a.api.Dialect.AppendResponse(a.borrow(len(whole) + 512)[:0], resp)
	case viaBody:
		a.meterHeaders()
		meta := a.meta()
		if a.seen.HasUsage {
			meta.PromptTokens = a.seen.Usage.Prompt
		}
		out, err := a.op.Body.AppendResponse(nil, a.target, whole, meta, &a.seen)
		a.settleSeen()
		if encoding, _ := jsonedit.String(jsonedit.Find(a.members, "encoding_format")); encoding == "base64" {
			out = openai.EmbeddingsInBase64(nil, out) // OpenAI's SDKs ask for it
		}
		return out, err
	}
	a.meterWhole(whole)
	if a.seen.Finish == "" { // otherwise it has a choice, and is as it should be
		if err := a.checkWhole(whole); err != nil {
			return nil, err
		}
	}
	if a.op.Edit.Rewrite != nil {
		return a.op.Edit.Rewrite(nil, whole), nil
	}
	return whole, nil
}

// checkWhole refuses a 200 of the OpenAI format that no client could use.
func (a *attempt) checkWhole(whole []byte) error {
	if !a.api.BareData {
		return nil
	}
	if len(whole) == 0 {
		return refuse(http.StatusInternalServerError, "no response body found when transforming response")
	}
	var space [16]jsonedit.Member
	members, err := jsonedit.Object(whole, space[:0])
	switch {
	case err == nil && jsonedit.Find(members, "choices") != nil:
		return nil
	case a.op.Edit.NoAnswer != nil:
		return a.op.Edit.NoAnswer(whole)
	case err != nil:
		return &chat.ResponseError{Message: "failed to decode " + string(a.route) + " response"}
	}
	return &chat.ResponseError{Message: "'choices' not in " + string(a.route) + " response"}
}

// isPage says whether an error is a page that a server before the API made. It
// is in nobody's format.
func isPage(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) }

// sendProviderError gives the client the provider's error: unchanged in the
// same format or in none, otherwise in the client's.
func (a *attempt) sendProviderError(whole []byte, gzipped bool) error {
	whole = a.redact(whole)
	h := a.clientHeaders()
	if !isPage(whole) && (a.how == viaChat || a.how == viaBody || a.how == viaResource || a.op.OwnErrors && string(jsonedit.Lookup(whole, "type")) != `"error"`) {
		a.markError(h, a.answer.Status)
		h["Content-Type"] = isJSONInUTF8
		whole = a.appendError(chat.ErrorFrom(a.answer.Status, whole))
	}
	if a.endpoint.Logging.Payloads {
		a.record.Update(func(d *record.Data) { d.Answer = whole })
	}
	a.finish(record.Failed, fmt.Sprintf("the provider answered %d", a.answer.Status))
	return a.sendEncoded(a.answer.Status, h, whole, gzipped)
}
