package anthropic

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
)

// checkAlike checks that events mean the same whether those before are remembered or not.
// It returns how many were recognized.
func checkAlike(t *testing.T, all ...frame.Event) (recognized int) {
	t.Helper()
	var collected [2][]byte
	var seen [2]chat.Seen
	var streams [2]stream
	for i := range seen {
		seen[i].Collect = func(text []byte) { collected[i] = append(collected[i], text...) }
	}
	for _, ev := range all {
		if _, ok := streams[0].alike.Content(ev.Data); ok {
			recognized++
		}
		var said [2][]chat.Delta
		var errs [2]error
		for i := range seen {
			Meter.Event(ev, &seen[i])
			said[i], errs[i] = streams[i].Next(ev)
		}
		seen[1].Alike, streams[1].alike = jsonedit.Alike{}, jsonedit.Alike{}
		a, b := seen[0], seen[1]
		a.Alike, b.Alike, a.Collect, b.Collect = jsonedit.Alike{}, jsonedit.Alike{}, nil, nil
		if !reflect.DeepEqual(a, b) || !bytes.Equal(collected[0], collected[1]) {
			t.Fatalf("%s: metered %+v (%q), otherwise %+v (%q)", ev.Data, a, collected[0], b, collected[1])
		}
		if len(said[0])+len(said[1]) > 0 && !reflect.DeepEqual(said[0], said[1]) || !reflect.DeepEqual(errs[0], errs[1]) {
			t.Fatalf("%s: read as %+v, %v, otherwise %+v, %v", ev.Data, said[0], errs[0], said[1], errs[1])
		}
	}
	return recognized
}

func TestEventsOfTextAreReadTheSameWhenTheyAreRecognized(t *testing.T) {
	deltas := func(index int, all ...string) (list []frame.Event) {
		for _, d := range all {
			list = append(list, frame.Event{Data: fmt.Appendf(nil, `{"type":"content_block_delta","index":%d,"delta":%s}`, index, d)})
		}
		return list
	}
	text := func(text string) string { return `{"type":"text_delta","text":` + text + `}` }
	for _, c := range []struct {
		name   string
		events []frame.Event
		want   int
	}{
		{"an answer", events(t, bytes.NewReader(fixture(t, "blocks.sse"))), 0},
		{"words", deltas(0, text(`"Once"`), text(`" upon"`), text(`""`), text(`" a"`)), 3},
		{"an escape between them", deltas(0, text(`"Once"`), text(`"\u0020"`), text(`" a"`)), 1},
		{"no text between them", deltas(0, text(`"Once"`), text(`7`), text(`" a"`)), 1},
		{"another block", append(deltas(0, text(`"a"`), text(`"b"`)), deltas(1, text(`"c"`), text(`"d"`))...), 2},
		{"thinking", deltas(0, `{"type":"thinking_delta","thinking":"a"}`, `{"type":"thinking_delta","thinking":"b"}`), 0},
		{"text and thinking in one", deltas(0, `{"type":"text_delta","text":"a","thinking":"b"}`, `{"type":"text_delta","text":"c","thinking":"b"}`), 1},
		{"a member in the text", deltas(0, text(`"a"`), text(`"b","type":"thinking_delta","thinking":"c","x":""`)), 0},
	} {
		if n := checkAlike(t, c.events...); n != c.want {
			t.Errorf("%s: %d events recognized, want %d", c.name, n, c.want)
		}
	}
}

// FuzzEventsAlike reads two events by turns.
func FuzzEventsAlike(f *testing.F) {
	f.Add([]byte(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}`), []byte(`{"type":"content_block_stop","index":0}`))
	f.Add([]byte(`{"type":"content_block_delta","index":0,"delta":{"text":"a","type":"text_delta"}}`), []byte(`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		defer workload.Linear(t, len(one)+len(two))()
		// The same event with another text, as a provider sends it.
		other := bytes.Replace(one, []byte(`"text":"a"`), []byte(`"text":"other"`), 1)
		var all []frame.Event
		for _, data := range [][]byte{one, other, one, two, one, other, two, two} {
			all = append(all, frame.Event{Data: data})
		}
		checkAlike(t, all...)
	})
}
