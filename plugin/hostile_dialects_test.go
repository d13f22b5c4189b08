package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/jsontest"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/mock"
	"go-ai-proxy/translators/openai"
)

// Odd answers reach clients of the other dialects in a form that these can
// read, from a provider of each format.
func TestOddAnswersAreHandledForEveryDialect(t *testing.T) {
	t.Parallel()
	for _, c := range speakers {
		for _, name := range []string{"openai", "anthropic", "bedrock", "cohere", "gemini", "ollama"} {
			if strings.HasPrefix(c.name, name) || name == "openai" && c.name == "responses" {
				continue // passes as it is
			}
			t.Run(c.name+" "+name, func(t *testing.T) {
				o := &odd{t: t, conf: confOf(c.format, c.route, name, mock.Model, "")}
				for _, scenario := range []string{"thinking_tools", "usage"} {
					o.asked(&c, scenario, false)
					o.asked(&c, scenario, true)
				}
				t.Logf("%d answers", o.n)
			})
		}
	}
}

// asked has a client of the dialect ask for a scenario and alters the answers.
func (o *odd) asked(c *speaker, scenario string, stream bool) {
	r := NewRelay(testSchema, zerolog.New(o), enginetest.Kind)
	up := &altered{}
	r.upstream = up
	inst, err := r.NewInstance([]byte(o.conf))
	if err != nil {
		o.t.Fatalf("%v\n%s", err, o.conf)
	}
	req, err := chat.ParseRequest(openai.Chat, []byte(`{"messages":[{"role":"user","content":"scenario:`+scenario+`"}]}`))
	if err != nil {
		o.t.Fatal(err)
	}
	req.Model, req.Stream = mock.Model, stream
	req.MaxTokens = "100"
	body, err := c.ask(req)
	if err != nil {
		o.t.Fatal(err)
	}
	serve := func(what string, alter func([][]byte) []byte) {
		up.alter = alter
		o.n++
		in := &wire.Inbound{Method: http.MethodPost, Path: c.path(stream), Header: http.Header{"Content-Type": {"application/json"}}, Body: bytes.NewReader(body), ContentLength: int64(len(body))}
		if stream {
			in.RawQuery = c.query
		}
		in.Kong.Path = in.Path
		out := &taken{}
		rec := r.Serve(context.Background(), inst, in, out, nil)
		if alter == nil && rec.Outcome() != record.Completed {
			o.t.Fatalf("the good answer: %s %s", rec.Data().Message, out.body.String())
		}
		what = fmt.Sprintf("%s, stream %v: %s", scenario, stream, what)
		if rec.Outcome() == record.Panicked || rec.Outcome() == record.Pending {
			o.t.Errorf("%s: %s", what, rec.Outcome())
		}
		if text := rec.Append(nil); !json.Valid(text) || bytes.Contains(text, []byte(`tokens":-`)) {
			o.t.Errorf("%s: record: %s", what, text)
		}
		o.readable(c, what, rec, out)
	}
	serve("good", nil)
	pieces := up.pieces

	for i, piece := range pieces {
		with := func(p ...[]byte) []byte {
			return bytes.Join([][]byte{bytes.Join(pieces[:i], nil), bytes.Join(p, nil), bytes.Join(pieces[i+1:], nil)}, nil)
		}
		if stream {
			serve(fmt.Sprintf("without event %d", i), func([][]byte) []byte { return with() })
			serve(fmt.Sprintf("event %d twice", i), func([][]byte) []byte { return with(piece, piece) })
			serve(fmt.Sprintf("up to event %d", i), func([][]byte) []byte { return bytes.Join(pieces[:i], nil) })
		}
		reframed(up.contentType, piece, func(data []byte) []byte {
			for j, at := range jsontest.Values(data) {
				for _, value := range strangeFor(i + j) {
					if strings.HasPrefix(value, "[[") {
						continue // passes, and is too deep for what reads it here
					}
					serve(fmt.Sprintf("event %d: %.60s at %d is %.20s", i, data[at.Start:at.End], at.Start, value), func([][]byte) []byte {
						return with(reframed(up.contentType, piece, func([]byte) []byte { return at.Replace(data, value) }))
					})
				}
			}
			return data
		})
	}
}

// readable holds an answer to what a client of the dialect can read.
func (o *odd) readable(c *speaker, what string, rec *record.Record, out *taken) {
	o.t.Helper()
	body := out.body.Bytes()
	if !strings.HasPrefix(out.header.Get("Content-Type"), c.media) || c.media == "application/json" && out.status != http.StatusOK {
		if !json.Valid(body) && !out.aborted {
			o.t.Errorf("%s: %d %.300q", what, out.status, body)
		}
		return
	}
	if out.aborted { // the form has no other way to say that it is not whole
		return
	}
	events, from := frame.New(c.framing, bytes.NewReader(body), 0), c.read.NewStream(clientTarget)
	ends, failures := 0, 0
	for {
		ev, err := events.Next()
		if err == io.EOF {
			break
		}
		var deltas []chat.Delta
		if err == nil {
			deltas, err = from.Next(ev)
		}
		if err != nil {
			o.t.Errorf("%s: %v in %.600q", what, err, body)
			return
		}
		for i := range deltas {
			switch deltas[i].Kind {
			case chat.End:
				ends++
			case chat.ErrorDelta:
				failures++
			default:
				if ends+failures > 0 {
					o.t.Errorf("%s: after the end: %.600q", what, body)
				}
			}
		}
	}
	if ends+failures > 1 || (rec.Outcome() == record.Completed) == (failures > 0) {
		o.t.Errorf("%s: %s: %d ends, %d errors: %.600q", what, rec.Outcome(), ends, failures, body)
	}
}
