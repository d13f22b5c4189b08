package frame

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestStreamsAreWhatTheyLookLike(t *testing.T) {
	for in, want := range map[string]Form{
		"data: {}\n\n": Events, "data:x": Events, "event: a\ndata: b\n\n": Events, ": ping\n\n": Events, "\n\nid:1\n": Events, "retry: 1": Events, "\ufeffdata: x": Events,
		`{"a":1}`: Object, " \n{": Object, "dat": Other, "database": Other, "<html>": Other, "": Other, "[{}]": List, "\ufeff {}": Object, "\x00\x00\x00\x10": Other, "id": Other,
		strings.Repeat(" ", 2*maxPeek) + "{": Other,
	} {
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(in), "byte by byte": iotest.OneByteReader(strings.NewReader(in)), "with its end": iotest.DataErrReader(strings.NewReader(in))} {
			p, got := Peek(r)
			if got != want {
				t.Errorf("%q, %s: got %v, want %v", in, name, got, want)
			}
			if all, err := io.ReadAll(p); string(all) != in || err != nil {
				t.Errorf("%q, %s: read %q, %v", in, name, all, err)
			}
		}
	}
}

func TestSingleIsOneEvent(t *testing.T) {
	r := Single([]byte("{}"))
	if ev, err := r.Next(); err != nil || string(ev.Data) != "{}" {
		t.Errorf("got %s, %v", ev.Data, err)
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("got %v", err)
	}
}
