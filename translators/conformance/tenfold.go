package conformance

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/growth"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/mock"
)

// grown holds the translators that have been checked already.
var grown = map[string]bool{}

// checkGrowth checks that everything that reads a client's or a provider's bytes does
// work that is linear in their number.
func checkGrowth(t *testing.T, r *run) {
	if raceEnabled || testing.Short() {
		t.Skip("times say nothing here")
	}
	if !r.same() {
		code := fmt.Sprintf("%#v %#v %#v", r.op.Chat, r.dialect, r.op.Meter)
		if grown[code] {
			return // an earlier provider uses the same translator
		}
		grown[code] = true
	}
	edit, original := &r.op.Edit, r.provider.Name == "openai"
	if !r.same() || original || edit.Request != nil || edit.Only != nil {
		t.Run("requests", r.law(checkGrowthOfRequests))
	}
	if r.same() && !original && edit.Rewrite == nil {
		return // no code of this provider reads its answers
	}
	s := r.eloquent()
	provided := r.mock.Whole(s, r.send(t, r.request(s, false), false))
	t.Run("answers", func(t *testing.T) { growth.Check(t, r.readWhole, provided) })
	if !r.op.NoStream {
		t.Run("streams", func(t *testing.T) {
			kind, provided := r.streamOf(t, s, r.send(t, r.request(s, true), true))
			GrowStream(t, Events(t, kind, provided), r.readEvents)
		})
	}
}

// checkGrowthOfRequests grows what clients send. Requests that a provider refuses are
// not measured.
func checkGrowthOfRequests(t *testing.T, r *run) {
	var docs [][]byte
	for _, name := range []string{"system", "tool_result", "images", "structured", "plain"} {
		s := mock.Named(name)
		if r.skips(s) || r.prompt && name != "plain" {
			continue
		}
		docs = append(docs, r.request(s, false))
	}
	growth.Check(t, func(body []byte) {
		if r.same() {
			_, _ = r.edited(body, false)
		} else if req, err := chat.ParseRequest(r.dialect, body); err == nil {
			_, _ = r.op.Chat.AppendRequest(nil, &r.target, req)
		}
	}, docs...)
	if !r.prompt {
		growth.Linear(t, "as many calls and results", func(n int) func() {
			body := manyCalls(3 * n) // each is expensive to read; with a few, comparing them takes no visible time
			return func() {
				if req, err := chat.ParseRequest(r.dialect, body); err == nil && r.op.Chat != nil {
					_, _ = r.op.Chat.AppendRequest(nil, &r.target, req)
				}
			}
		})
	}
}

// manyCalls is a history with n calls in one message and their results, the
// last one first.
func manyCalls(n int) []byte {
	const call = `{"id":"call","type":"function","function":{"name":"f","arguments":"{}"}}`
	const result = `{"role":"tool","id":"call","content":"x"}`
	var calls, results []string
	for i := range n {
		calls = append(calls, string(growth.Distinct([]byte(call), i)))
		results = append(results, strings.Replace(string(growth.Distinct([]byte(result), n-1-i)), `"id"`, `"tool_call_id"`, 1))
	}
	return []byte(`{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","content":null,"tool_calls":[` +
		strings.Join(calls, ",") + `]},` + strings.Join(results, ",") + `]` + aTool + `}`)
}

// eloquent is a scenario in which the answer has all kinds of parts that the provider
// supports.
func (r *run) eloquent() *mock.Scenario {
	base := "thinking_tools"
	switch {
	case r.prompt:
		base = "text"
	case r.skips(mock.Named(base)):
		base = "tools_text"
		if r.skips(mock.Named(base)) {
			base = "text"
		}
	}
	s := *mock.Named(base)
	c := s.Answer.Choices[0]
	if base != "text" {
		c.Parts = append(append([]chat.Part(nil), c.Parts...), mock.Named("tools").Answer.Choices[0].Parts[:2]...)
		c.Parts = append([]chat.Part{c.Parts[0], {Kind: chat.Text, Text: jsonedit.Plain("Let me see.")}}, c.Parts[1:]...)
	}
	s.Answer.Choices = []chat.Choice{c}
	return &s
}

// readWhole reads a whole answer in every way in which the relay does.
func (r *run) readWhole(body []byte) {
	var seen chat.Seen
	if r.op.Meter != nil {
		r.op.Meter.Whole(body, &seen)
	}
	if r.op.Edit.Rewrite != nil {
		r.op.Edit.Rewrite(nil, body)
	}
	chat.ErrorFrom(500, body)
	if r.op.Chat == nil {
		return
	}
	if resp, err := r.op.Chat.ParseResponse(&r.target, body); err == nil {
		_, _ = r.dialect.AppendResponse(nil, resp)
	}
}

// readEvents reads a stream in every way in which the relay does.
func (r *run) readEvents(events []frame.Event) {
	seen := chat.Seen{Collect: func([]byte) {}}
	var from chat.Stream
	var to chat.Encoder
	if r.op.Chat != nil {
		from, to = r.op.Chat.NewStream(&r.target), r.dialect.NewEncoder(r.meta())
	}
	var dst []byte
	for _, ev := range events {
		if r.op.Meter != nil {
			r.op.Meter.Event(ev, &seen)
		}
		if r.op.Edit.Rewrite != nil {
			r.op.Edit.Rewrite(nil, ev.Data)
		}
		dst = frame.AppendSSE(dst[:0], nil, ev.Data)
		if from == nil {
			continue
		}
		deltas, err := from.Next(ev)
		if err != nil {
			from = nil
		}
		for i := range deltas {
			dst = to.Append(dst[:0], &deltas[i])
		}
	}
}

// GrowStream checks that read does work that is linear in the stream's size: for each
// kind of event, first its data grows, then the number of events.
func GrowStream(t *testing.T, events []frame.Event, read func([]frame.Event)) {
	t.Helper()
	seen := map[string]bool{}
	for i, ev := range events {
		shapes := growth.Shapes(ev.Data)
		var names []string
		for _, s := range shapes {
			names = append(names, s.Name)
		}
		if kind := string(ev.Type) + strings.Join(names, " "); ev.Data == nil || seen[kind] {
			continue
		} else {
			seen[kind] = true
		}
		with := func(several ...frame.Event) []frame.Event {
			return append(append(append([]frame.Event(nil), events[:i]...), several...), events[i+1:]...)
		}
		for _, shape := range shapes {
			growth.Linear(t, string(ev.Type)+" "+shape.Name, func(n int) func() {
				grown := ev
				grown.Data = shape.Of(n)
				list := with(grown)
				return func() { read(list) }
			})
		}
		for _, distinct := range []bool{false, true} {
			growth.Linear(t, "many of "+clip(ev.Data), func(n int) func() {
				many := make([]frame.Event, n)
				for j := range many {
					if many[j] = ev; distinct {
						many[j].Data = growth.Distinct(bytes.Clone(ev.Data), j)
					}
				}
				list := with(many...)
				return func() { read(list) }
			})
		}
	}
}
