package translators

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance"
	"go-ai-proxy/translators/conformance/jsontest"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/mock"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// misshapen calls f with text in which one value is another, for each value and for every
// stride-th of the others, and with text that breaks off. f may keep what it gets.
func misshapen(text []byte, stride int, f func([]byte)) {
	if raceEnabled {
		stride *= 5
	}
	var tight bytes.Buffer
	if json.Compact(&tight, text) != nil {
		return
	}
	text = tight.Bytes()
	for n, span := range jsontest.Values(text) {
		for k := n % stride; k < len(jsontest.Strange); k += stride {
			f(span.Replace(text, jsontest.Strange[k]))
		}
		if n%stride == 0 {
			f(bytes.Clone(text[:span.End]))
		}
	}
}

// spoken are the formats that chat, once for each way in which they are read and written.
func spoken() (list []*provider.Operation) {
	seen := map[string]bool{}
	for _, p := range Providers {
		for _, wanted := range []route.Type{route.Chat, route.Completions, route.Responses} {
			op := p.Operations[wanted]
			if op == nil || op.Chat == nil || mock.ByName(string(op.Format)) == nil {
				continue
			}
			if name := fmt.Sprintf("%s %T", op.Format, op.Chat); !seen[name] {
				seen[name] = true
				list = append(list, op)
			}
		}
	}
	return list
}

// surfaces are the formats in which clients chat.
func surfaces() (list []*provider.API) {
	formats := []*provider.ClientFormat{Client}
	for _, p := range Providers {
		if p.Client != nil {
			formats = append(formats, p.Client)
		}
	}
	for _, f := range formats {
		for i := range f.Paths {
			if api := f.Paths[i].API; api.Dialect != nil && api.Count == nil && !slices.ContainsFunc(list, func(a *provider.API) bool { return a.Dialect == api.Dialect }) {
				list = append(list, api)
			}
		}
	}
	return list
}

var providers, clients = spoken(), surfaces()

// panicked runs f and reports a panic with what caused it.
func panicked(t *testing.T, of string, text []byte, f func()) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("%s: %v: %s", of, p, text)
		}
	}()
	f()
}

func TestNoValueOfAnAnswerIsTakenOnTrust(t *testing.T) {
	for _, op := range providers {
		to := &target.Target{Model: mock.Model, Options: &target.Options{}}
		t.Run(string(op.Format), func(t *testing.T) {
			for _, s := range mock.Scenarios {
				misshapen(mock.ByName(string(op.Format)).Whole(s, nil), 7, func(body []byte) {
					panicked(t, "whole", body, func() { foreignWhole(t, op, to, body) })
				})
			}
		})
	}
}

func foreignWhole(t *testing.T, op *provider.Operation, to *target.Target, body []byte) {
	var seen chat.Seen
	op.Meter.Whole(bytes.Clone(body), &seen)
	checkCounted(t, &seen, body)
	chat.ErrorFrom(502, body)
	for _, api := range clients {
		d := api.Dialect
		resp, err := op.Chat.ParseResponse(to, bytes.Clone(body))
		if err != nil {
			return
		}
		resp.Meta = chat.Meta{ID: "id", Created: 1, Model: mock.Model}
		if out, err := d.AppendResponse(nil, resp); err == nil && !json.Valid(out) {
			t.Errorf("%T writes %s of %s", d, out, body)
		}
	}
}

func TestNoValueOfAnEventIsTakenOnTrust(t *testing.T) {
	for _, op := range providers {
		to := &target.Target{Model: mock.Model, Options: &target.Options{}}
		m := mock.ByName(string(op.Format))
		turn, shapes := 0, map[string]bool{} // of clients, and of events that have had theirs
		t.Run(string(op.Format), func(t *testing.T) {
			for _, s := range mock.Scenarios {
				contentType, raw := mock.Events(m, s, nil)
				kind := conformance.Kind(t, contentType)
				events := conformance.Events(t, kind, bytes.Join(raw, nil))
				for i, ev := range events {
					if shape := shapeOf(ev.Data); shapes[shape] {
						continue
					} else {
						shapes[shape] = true
					}
					misshapen(ev.Data, 4, func(data []byte) {
						for _, typ := range [][]byte{ev.Type, nil} {
							changed := slices.Clone(events[:min(len(events), i+3)])
							changed[i].Data, changed[i].Type = data, typ
							panicked(t, "event", data, func() { foreignStream(t, op, to, clients[turn%len(clients)].Dialect, changed, i) })
							turn++
							if len(ev.Type) == 0 {
								break
							}
						}
					})
				}
			}
		})
	}
}

func foreignStream(t *testing.T, op *provider.Operation, to *target.Target, d chat.Dialect, events []frame.Event, at int) {
	var seen chat.Seen
	for _, ev := range events {
		op.Meter.Event(ev, &seen)
	}
	checkCounted(t, &seen, events[at].Data)
	from, enc := op.Chat.NewStream(to), d.NewEncoder(chat.Meta{ID: "id", Created: 1, Model: mock.Model, IncludeUsage: true})
	var out []byte
	for _, ev := range events {
		deltas, err := from.Next(ev)
		for i := range deltas {
			out = enc.Append(out, &deltas[i])
		}
		if err != nil {
			break
		}
	}
	if bytes.HasPrefix(out, []byte("data:")) || bytes.HasPrefix(out, []byte("event:")) {
		checkEvents(t, d, out)
	}
}

// checkCounted checks that no counter is below nothing, and that their sum is a number.
func checkCounted(t *testing.T, seen *chat.Seen, of []byte) {
	t.Helper()
	u := reflect.ValueOf(seen.Usage)
	sum := 0
	for i := range u.NumField() {
		if f := u.Field(i); f.CanInt() {
			if sum += int(f.Int()); f.Int() < 0 || sum < 0 {
				t.Errorf("%s is %d: %s", u.Type().Field(i).Name, f.Int(), of)
				return
			}
		}
	}
}

// shapeOf is JSON text without its strings' and numbers' contents, but for types.
func shapeOf(text []byte) string { return content.ReplaceAllString(string(text), "$1") }

var content = regexp.MustCompile(`("(?:[a-zA-Z_]+)":(?:"[a-z_.]+"(?:[,}]))?)|"(?:[^"\\]|\\.)*"|[0-9]+`)

func checkEvents(t *testing.T, d chat.Dialect, out []byte) {
	r := frame.New(frame.SSE, bytes.NewReader(out), 0)
	for {
		ev, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil || len(ev.Data) > 0 && !json.Valid(ev.Data) && string(ev.Data) != "[DONE]" {
			t.Errorf("%T writes %s", d, ev.Data)
			return
		}
	}
}

func TestNoValueOfARequestIsTakenOnTrust(t *testing.T) {
	to := &target.Target{Model: mock.Model, Options: &target.Options{}}
	for _, api := range clients {
		t.Run(string(api.Format), func(t *testing.T) {
			for _, body := range requestsIn(t, api, to) {
				misshapen(body, 9, func(body []byte) {
					panicked(t, "request", body, func() {
						for _, op := range providers {
							foreignRequest(t, api.Dialect, op, to, body)
						}
					})
				})
			}
		})
	}
}

// requestsIn returns the scenarios' requests in the format of api.
func requestsIn(t *testing.T, api *provider.API, to *target.Target) (list [][]byte) {
	for _, s := range mock.Scenarios {
		if api.Format == provider.OpenAIChat {
			list = append(list, []byte(s.Request))
			continue
		}
		for _, op := range providers {
			if op.Format != api.Format {
				continue
			}
			req, err := chat.ParseRequest(openai.Chat, []byte(s.Request))
			if err != nil {
				t.Fatal(err)
			}
			req.Model = mock.Model
			if body, err := op.AppendRequest(nil, to, req); err == nil {
				list = append(list, body)
			}
		}
	}
	return list
}

func foreignRequest(t *testing.T, d chat.Dialect, op *provider.Operation, to *target.Target, body []byte) {
	req, err := chat.ParseRequest(d, bytes.Clone(body))
	if err != nil {
		return
	}
	req.Model = to.Model
	if _, err := op.Offer(to, req); err != nil {
		return
	}
	if out, err := op.AppendRequest(nil, to, req); err == nil && !json.Valid(out) {
		t.Errorf("%s is sent %s for %s", op.Format, out, body)
	}
}
