package frame

import "io"

// ExceptionError is an exception in an event stream whose other events are parts of
// another stream.
type ExceptionError struct {
	Type string // the :exception-type
	Data []byte // its payload, JSON as a rule
}

func (e *ExceptionError) Error() string { return "the provider ended the stream with " + e.Type }

// partType is the :event-type of a part.
// https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_ResponseStream.html
const partType = "PayloadPart"

// Parts returns the stream whose parts are the payloads of r, an AWS event stream. A
// part may end anywhere in the inner stream. An exception among the parts ends the
// inner stream with an *ExceptionError; other events are skipped.
func Parts(r io.Reader) io.Reader {
	waiter, _ := r.(Waiter)
	return &parts{events: New(EventStream, r, MaxEvent), waiter: waiter}
}

type parts struct {
	events Reader
	waiter Waiter
	rest   []byte // of the part that is being read
	err    error
}

// Read implements io.Reader.
func (p *parts) Read(b []byte) (int, error) {
	for len(p.rest) == 0 {
		if p.err != nil {
			return 0, p.err
		}
		p.next()
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// Wait implements Waiter.
func (p *parts) Wait() {
	if p.waiter != nil && len(p.rest) == 0 && p.err == nil && !p.events.Buffered() {
		p.waiter.Wait()
	}
}

// next takes the next event. After the last one the reader's memory is given back.
func (p *parts) next() {
	ev, err := p.events.Next()
	switch {
	case err != nil:
		p.err = err
	case ev.Exception:
		p.err = &ExceptionError{Type: string(ev.Type), Data: append([]byte(nil), ev.Data...)}
	case string(ev.Type) == partType:
		p.rest = ev.Data
	}
	if p.err != nil {
		p.events.Release()
	}
}
