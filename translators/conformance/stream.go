package conformance

import (
	"bytes"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/mock"
)

// checkStream runs s streamed: it must say what the whole answer said, whatever
// pieces the bytes arrive in.
func checkStream(t *testing.T, r *run, s *mock.Scenario, whole *answer) {
	t.Helper()
	upstream := r.send(t, r.request(s, true), true)
	kind, provided := r.streamOf(t, s, upstream)
	client, err := r.translated(kind, bytes.NewReader(provided), r.meta())
	if err != nil {
		t.Fatalf("the provider's stream is refused: %v\n%s", err, clip(provided))
	}
	if !r.same() && bytes.Equal(client, provided) {
		t.Error("the stream was not translated: the client gets the provider's bytes")
	}
	a, err := assemble(client)
	if err != nil {
		t.Fatalf("%v\nthe client gets %s", err, clip(client))
	}
	checkTruth(t, r, s, &a.answer)
	checkEnding(t, r, a)
	checkSameAnswer(t, r, &a.answer, whole)
	checkSplits(t, r, kind, provided, client)
	if r.same() {
		checkMeteredStream(t, r, s, kind, provided)
	} else {
		checkWithoutUsage(t, r, kind, provided)
	}
	if t.Failed() {
		t.Logf("the provider streamed %s\nthe client gets %s", clip(provided), clip(client))
	}
}

// checkEnding checks how a complete stream ends.
func checkEnding(t *testing.T, r *run, a *streamed) {
	t.Helper()
	equal(t, "number of [DONE]", a.done, 1)
	equal(t, "error event", a.failed, "")
	if r.lacks(Usage) || r.same() && r.op.Edit.RefusesStreamOptions(&r.target) {
		return
	}
	equal(t, "number of usage chunks", a.usageChunks, 1)
}

// checkSameAnswer is the usage law, and more: streamed or whole, a client
// understands the same.
func checkSameAnswer(t *testing.T, r *run, stream, whole *answer) {
	t.Helper()
	if !r.lacks(Usage) && stream.Usage != nil && !reflect.DeepEqual(stream.Usage, whole.Usage) {
		t.Errorf("usage: the stream says %+v, the whole answer %+v", stream.Usage, whole.Usage)
	}
	for i := range stream.Choices {
		s, w := stream.Choices[i].message, whole.Choices[i].message
		for _, m := range []*message{&s, &w} {
			if m.Content != nil && *m.Content == "" {
				m.Content = nil // the first chunk cannot know yet whether null is due
			}
		}
		if !reflect.DeepEqual(s, w) {
			t.Errorf("choice %d: the stream says %+v, the whole answer %+v", i, s, w)
		}
	}
}

// checkWithoutUsage: who did not ask for usage gets no chunk of it.
func checkWithoutUsage(t *testing.T, r *run, kind frame.Kind, provided []byte) {
	t.Helper()
	m := r.meta()
	m.IncludeUsage = false
	client, err := r.translated(kind, bytes.NewReader(provided), m)
	if err != nil {
		t.Fatal(err)
	}
	a, err := assemble(client)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "usage chunks when not asked", a.usageChunks, 0)
	equal(t, "number of [DONE] without usage", a.done, 1)
}

func checkMeteredStream(t *testing.T, r *run, s *mock.Scenario, kind frame.Kind, provided []byte) {
	t.Helper()
	var seen chat.Seen
	usageOnly := 0
	for _, ev := range Events(t, kind, provided) {
		r.op.Meter.Event(ev, &seen)
		if seen.UsageOnly {
			usageOnly++
		}
	}
	checkMeter(t, r, s, &seen)
	if !seen.Ended {
		t.Error("meter: did not see the end")
	}
	if !r.op.Edit.RefusesStreamOptions(&r.target) {
		equal(t, "meter: events with usage only", usageOnly, 1)
	}
}

// A stream of up to everyCut bytes is cut everywhere, a larger one at spread
// places; with -short all are cut at a few.
const (
	everyCut = 4000
	spread   = 200
	few      = 10
)

// checkSplits cuts the stream at every position and byte by byte: the client's
// bytes stay the same.
func checkSplits(t *testing.T, r *run, kind frame.Kind, provided, client []byte) {
	t.Helper()
	try := func(how string, stream io.Reader) bool {
		t.Helper()
		got, err := r.translated(kind, stream, r.meta())
		if err != nil || !bytes.Equal(got, client) {
			t.Errorf("split law: %s, the client gets other bytes (error %v): %s", how, err, firstDifference(got, client))
			return false
		}
		return true
	}
	if !try("byte by byte", iotest.OneByteReader(bytes.NewReader(provided))) {
		return
	}
	if kind == frame.SSE {
		crlf := bytes.ReplaceAll(provided, []byte("\n"), []byte("\r\n"))
		cr := bytes.ReplaceAll(provided, []byte("\n"), []byte("\r"))
		commented := bytes.ReplaceAll(provided, []byte("\n\n"), []byte("\n\n: ping\n\n"))
		if !try("with CRLF, byte by byte", iotest.OneByteReader(bytes.NewReader(crlf))) ||
			!try("with CR", bytes.NewReader(cr)) ||
			!try("with comments", bytes.NewReader(commented)) ||
			!try("without the last newline", bytes.NewReader(bytes.TrimRight(provided, "\n"))) {
			return
		}
	}
	if r.same() {
		return // nothing here but the framing, which has its own tests
	}
	step := 1
	switch {
	case testing.Short():
		step += len(provided) / few
	case len(provided) > everyCut:
		step += len(provided) / spread
	}
	for i := 1; i < len(provided); i += step {
		if !try("cut in two", io.MultiReader(bytes.NewReader(provided[:i]), bytes.NewReader(provided[i:]))) {
			t.Logf("cut after byte %d, between %q and %q", i, provided[max(0, i-20):i], provided[i:min(i+20, len(provided))])
			return
		}
	}
}

func firstDifference(got, want []byte) string {
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	from := max(0, i-40)
	return "got …" + clip(got[from:min(len(got), i+80)]) + "… want …" + clip(want[from:min(len(want), i+80)]) + "…"
}

// checkCutOff ends a stream in the middle: no finish reason is invented, and no
// [DONE] says that it was complete.
func checkCutOff(t *testing.T, r *run) {
	s := mock.Named("text")
	upstream := r.send(t, r.request(s, true), true)
	contentType, events := mock.Events(r.mock, s, upstream)
	kind := Kind(t, contentType)
	middle := len(events) / 2
	client, _ := r.translated(kind, bytes.NewReader(bytes.Join(events[:middle], nil)), r.meta())
	a, err := assemble(client)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "number of [DONE] after half a stream", a.done, 0)
	for i := range a.Choices {
		if f := a.Choices[i].Finish; f != nil {
			t.Errorf("choice %d: finish_reason %q was invented", i, *f)
		}
		if want := joined(s.Answer.Choices[0].Parts, chat.Text); !strings.HasPrefix(want, a.Choices[i].message.text()) {
			t.Errorf("choice %d: %q is no beginning of %q", i, a.Choices[i].message.text(), want)
		}
	}
}

// checkStreamError: the provider's error in mid-stream becomes the client's, and
// the last event.
func checkStreamError(t *testing.T, r *run) {
	s := mock.Named("error_stream")
	if r.lacks(StreamErrors) || r.mock.StreamError("") == nil {
		t.Skipf("%s has no error event", r.mock.Name())
	}
	upstream := r.send(t, r.request(s, true), true)
	kind, provided := r.streamOf(t, s, upstream)
	client, err := r.translated(kind, bytes.NewReader(provided), r.meta())
	if err != nil {
		t.Fatalf("the provider's error event is taken for a broken stream: %v", err)
	}
	a, err := assemble(client)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(a.failed, s.Error.Message) {
		t.Errorf("error event: got message %q, want %q\n%s", a.failed, s.Error.Message, clip(client))
	}
	equal(t, "number of [DONE] after an error", a.done, 0)
	for i := range a.Choices {
		if f := a.Choices[i].Finish; f != nil {
			t.Errorf("finish_reason %q after an error", *f)
		}
	}
}

// maxAllocs is how many allocations an event may cost, on average, once the
// checkStream is warm.
const maxAllocs = 2

// checkAllocations holds translators to the budget, with long streams of text, of
// thinking and of arguments.
func checkAllocations(t *testing.T, r *run) {
	if raceEnabled {
		t.Skip("the race detector allocates, too")
	}
	for _, name := range []string{"text", "thinking", "long_arguments"} {
		if r.skips(mock.Named(name)) {
			continue
		}
		s := long(mock.Named(name))
		upstream := r.send(t, r.request(s, true), true)
		kind, provided := r.streamOf(t, s, upstream)
		events := Events(t, kind, provided)
		if len(events) < 100 {
			continue // whole at once: there is no steady state
		}
		dst := make([]byte, 0, 16<<10)
		allocs := testing.AllocsPerRun(10, func() {
			from, to := r.op.Chat.NewStream(&r.target), r.dialect.NewEncoder(r.meta())
			for _, ev := range events {
				deltas, err := from.Next(ev)
				if err != nil {
					t.Fatal(err)
				}
				dst = dst[:0]
				for i := range deltas {
					dst = to.Append(dst, &deltas[i])
				}
			}
		})
		if per := allocs / float64(len(events)); per > maxAllocs {
			t.Errorf("%s: %.2f allocations per event, want %d at most", name, per, maxAllocs)
		} else {
			t.Logf("%s: %.2f allocations per event", name, per)
		}
	}
}

// long is s with much more to say, in pieces of the same size.
func long(s *mock.Scenario) *mock.Scenario {
	l := *s
	l.Answer.Choices = []chat.Choice{s.Answer.Choices[0]}
	parts := append([]chat.Part(nil), s.Answer.Choices[0].Parts...)
	for i := range parts {
		if parts[i].Kind == chat.Text || parts[i].Kind == chat.Thinking {
			said := parts[i].Text.String() + " "
			parts[i].Text = jsonedit.Plain(strings.Repeat(said, 4000/len(said)))
		}
	}
	l.Answer.Choices[0].Parts = parts
	return &l
}
