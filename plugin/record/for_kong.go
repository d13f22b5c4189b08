package record

import (
	"cmp"
	"strconv"
	"strings"

	"go-ai-proxy/translators/jsonedit"
)

// AppendForKong writes the record as Append does, with what Kong's side needs of
// the request beside what is logged in the member "kong": why it failed, and,
// where Kong traces it, the attributes of a span ("span") and its attempts
// ("events"). It writes nothing when there is nothing to say.
//
// The attributes are those of OpenTelemetry's conventions for generative AI, as
// Kong documents them for its span kong.gen_ai:
// https://developer.konghq.com/ai-gateway/ai-otel-span-attributes/
func (r *Record) AppendForKong(dst []byte, traced bool) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := &r.data
	logged := len(dst)
	dst = d.append(dst)
	why := d.Message
	if d.Logging.Statistics {
		why = "" // meta.error
	}
	if why == "" && !traced {
		return dst
	}
	if len(dst) > logged {
		dst = dst[:len(dst)-1] // its closing brace
	} else {
		dst = append(dst, '{')
	}
	dst = append(jsonedit.AppendName(dst, "kong"), '{')
	dst = jsonedit.AppendOptional(dst, "error", why)
	if traced {
		dst = d.appendSpan(append(jsonedit.AppendName(dst, "span"), '{'))
		dst = d.appendEvents(append(jsonedit.AppendName(append(dst, '}'), "events"), '['))
		dst = append(dst, ']')
	}
	return append(dst, '}', '}')
}

func (d *Data) appendSpan(dst []byte) []byte {
	dst = jsonedit.AppendOptional(dst, "gen_ai.operation.name", d.Label.Operation)
	dst = jsonedit.AppendOptional(dst, "gen_ai.provider.name", d.Provider)
	dst = jsonedit.AppendOptional(dst, "gen_ai.request.model", d.Model)
	if o := d.Options; o != nil {
		if o.MaxTokens != nil {
			dst = jsonedit.AppendInt(dst, "gen_ai.request.max_tokens", *o.MaxTokens)
		}
		if o.Temperature != nil {
			dst = appendFloat(dst, "gen_ai.request.temperature", *o.Temperature)
		}
	}
	dst = jsonedit.AppendOptional(dst, "gen_ai.response.model", d.ResponseModel)
	if d.Finish != "" {
		dst = jsonedit.AppendTexts(dst, "gen_ai.response.finish_reasons", []string{string(d.Finish)})
	}
	dst = appendCount(dst, "gen_ai.usage.input_tokens", d.Usage.Prompt)
	dst = appendCount(dst, "gen_ai.usage.output_tokens", d.Usage.Completion)
	if n := len(d.Tried); n > 0 {
		dst = jsonedit.AppendOptional(dst, "server.address", d.Tried[n-1].Host)
		dst = appendCount(dst, "server.port", d.Tried[n-1].Port)
	}
	if d.Outcome != Completed {
		dst = jsonedit.AppendOptional(dst, "error.type", d.Outcome)
	}
	if d.Logging.Payloads {
		dst = jsonedit.AppendOptional(dst, "gen_ai.input.messages", d.Request)
		dst = jsonedit.AppendOptional(dst, "gen_ai.output.messages", d.Answer)
	}
	return dst
}

func (d *Data) appendEvents(dst []byte) []byte {
	for i := range d.Tried {
		t := &d.Tried[i]
		dst = append(jsonedit.AppendComma(dst), '{')
		dst = jsonedit.AppendOptional(dst, "gen_ai.provider.name", t.Provider)
		dst = jsonedit.AppendOptional(dst, "gen_ai.request.model", t.Model)
		dst = jsonedit.AppendOptional(dst, "server.address", t.Host)
		dst = appendCount(dst, "http.response.status_code", t.Status)
		dst = append(jsonedit.AppendOptional(dst, "outcome", t.Outcome), '}')
	}
	return dst
}

// maxPeer bounds what AppendPeer writes.
const maxPeer = 400

// AppendPeer writes who was tried last, as "HOST PORT IP PATH ": Kong knows the
// relay only. IP is "-" where nobody answered. It writes nothing when nobody was
// tried, or host and path are longer than maxPeer bytes.
func (r *Record) AppendPeer(dst []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.data.Tried) == 0 {
		return dst
	}
	t := &r.data.Tried[len(r.data.Tried)-1]
	if len(t.Host)+len(t.Path) > maxPeer || strings.ContainsFunc(t.Host, notInWord) || strings.ContainsFunc(t.Path, notInWord) {
		return dst
	}
	dst = append(append(dst, t.Host...), ' ')
	dst = append(strconv.AppendInt(dst, int64(t.Port), 10), ' ')
	dst = append(append(dst, cmp.Or(t.IP, "-")...), ' ')
	return append(append(dst, cmp.Or(t.Path, "/")...), ' ')
}

// notInWord says whether r cannot stand in a word of a header.
func notInWord(r rune) bool { return r <= ' ' || r > '~' }
