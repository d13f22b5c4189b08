package frame

import (
	"bytes"
	"io"
)

// Form is what a stream looks like, whatever its label says.
type Form int

// The forms.
const (
	Other  Form = iota
	Events      // server-sent events
	Object      // a JSON object, or several
	Frames      // AWS event-stream frames
	List        // a JSON array
)

// Framing is how the events of such a stream are framed; false if it is none of several
// events.
func (f Form) Framing() (kind Kind, several bool) {
	switch f {
	case Events:
		return SSE, true
	case Frames:
		return EventStream, true
	case List:
		return Array, true
	}
	return 0, false
}

// Peeked is a stream of which the beginning has been looked at. It reads as the whole
// stream.
type Peeked struct {
	src    io.Reader
	waiter Waiter // src, if it is one
	first  []byte
	err    error // of reading first
}

// maxPeek is how far the beginning of a stream is looked at, in bytes: behind it there
// is no white space that matters.
const maxPeek = 256

// Peek waits for the beginning of a stream and says what it looks like.
func Peek(src io.Reader) (*Peeked, Form) {
	p := &Peeked{src: src}
	p.waiter, _ = src.(Waiter)
	p.Wait()
	buf := make([]byte, maxPeek)
	n := 0
	for {
		more, err := src.Read(buf[n:])
		n += more
		p.first, p.err = buf[:n], err
		if form, decided := formOf(p.first); decided || err != nil || n == len(buf) {
			return p, form
		}
	}
}

// fields are the names that a line of server-sent events begins with.
// https://html.spec.whatwg.org/multipage/server-sent-events.html
var fields = [...]string{"data", "event", "id", "retry", "error", ""} // "" is a comment's

// formOf says what the beginning of a stream looks like, and whether it is long enough
// to say so.
func formOf(first []byte) (Form, bool) {
	if len(first) == 0 || len(first) < len(byteOrderMark) && bytes.HasPrefix(byteOrderMark, first) {
		return Other, false
	}
	if first[0] == 0 { // the length of a frame, which is below 16 MiB
		if len(first) < preludeLen {
			return Other, false
		}
		if new(eventStream).prelude(first) == nil {
			return Frames, true
		}
		return Other, true
	}
	text := bytes.TrimLeft(Unmarked(first), " \t\r\n")
	if len(text) == 0 {
		return Other, false
	}
	switch text[0] {
	case '{':
		return Object, true
	case '[':
		return List, true
	}
	for _, name := range fields {
		switch {
		case len(text) > len(name) && string(text[:len(name)+1]) == name+":":
			return Events, true
		case len(text) <= len(name) && string(text) == name[:len(text)]:
			return Other, false
		}
	}
	return Other, true
}

// FormOf says what a whole body looks like.
func FormOf(body []byte) Form {
	form, _ := formOf(body[:min(len(body), maxPeek)])
	return form
}

// Unmarked returns text without the byte order mark that some servers begin it with. It
// is no part of the text, and JSON must not have one.
// https://www.rfc-editor.org/rfc/rfc8259#section-8.1
func Unmarked(text []byte) []byte { return bytes.TrimPrefix(text, byteOrderMark) }

// Read implements io.Reader.
func (p *Peeked) Read(b []byte) (int, error) {
	if len(p.first) > 0 {
		n := copy(b, p.first)
		if p.first = p.first[n:]; len(p.first) == 0 {
			p.first = nil
		}
		return n, nil
	}
	if p.err != nil {
		return 0, p.err
	}
	return p.src.Read(b)
}

// Wait implements Waiter.
func (p *Peeked) Wait() {
	if p.waiter != nil && len(p.first) == 0 && p.err == nil {
		p.waiter.Wait()
	}
}

// Single returns a reader of one event, whose data is a whole answer.
func Single(data []byte) Reader { return &single{data: data} }

type single struct {
	data []byte
	done bool
}

func (s *single) Next() (Event, error) {
	if s.done {
		return Event{}, io.EOF
	}
	s.done = true
	return Event{Data: s.data, Raw: s.data}, nil
}

func (s *single) Buffered() bool { return true }

func (s *single) Release() {}
