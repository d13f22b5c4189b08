package engine

import (
	"errors"

	"go-ai-proxy/plugin/wire"
)

// asking is the state of a small request being sent: one call of the poller checks
// the socket, writes the request and waits for the answer. Three separate calls
// would check the socket twice and take its locks three times.
type asking struct {
	step  func(fd uintptr) bool // clientConn.askReady, made once
	in    *source               // of the socket
	out   *output
	asked bool // the request has been written, as far as the socket accepted it
	stale bool // something had arrived before the request was written
}

// maxAsked limits a request that is sent this way, in bytes: it must fit into a
// buffer, also when it is written as a TLS record.
const maxAsked = bufferSize - 512

// errStale is returned for an idle connection that the provider has closed, or on
// which it has sent something without a request. Nothing was written.
var errStale = errors.New("the idle connection cannot be used")

// canAsk reports whether the request whose head is in the buffer, and whose body has
// that length, can be sent by askFor.
func (c *clientConn) canAsk(length int64) bool {
	return c.ask.step != nil && int64(len(c.out.buf))+length <= maxAsked
}

// prepareAsking is called once, when the connection is established.
func (c *clientConn) prepareAsking() {
	a := &c.ask
	switch {
	case c.raw == nil || len(c.secured) > 1:
		return
	case len(c.secured) == 1:
		a.in, a.out = &c.secured[0].below.in, &c.secured[0].below.out
	default:
		a.in, a.out = &c.in, &c.out
	}
	a.step = c.askReady
}

// askFor writes the request whose head is in the buffer and waits for its answer
// to begin. An error that ends the wait is returned by the next read.
func (c *clientConn) askFor(out *wire.Outgoing) error {
	for _, p := range out.Pieces {
		c.out.buf = append(c.out.buf, p...)
	}
	if len(c.secured) > 0 {
		b := c.secured[0].below
		b.hold = true
		err := c.out.flush()
		b.hold = false
		if err != nil {
			return &errUnanswered{err, true}
		}
	}
	if err := c.in.time.ahead(out.Timeouts.Read); err != nil {
		return err
	}
	a := &c.ask
	before := a.out.sent
	a.asked, a.stale, a.in.err = false, false, nil
	a.out.rest = a.out.buf
	err := c.raw.Read(a.step)
	if !a.asked {
		a.out.err = err
	} else if len(a.out.rest) > 0 && a.out.err == nil && !a.stale { // the socket is full
		if a.out.err = c.out.time.ahead(out.Timeouts.Write); a.out.err == nil {
			a.out.sendRest()
		}
	}
	a.out.rest = nil
	a.out.release()
	switch {
	case a.stale:
		return errStale
	case a.out.err != nil && a.out.sent == before:
		return &errUnanswered{a.out.err, true}
	case a.out.err != nil:
		return c.hear(a.out.err)
	case err == nil:
		err = a.in.err
	}
	a.in.failed = err
	return nil
}

// askReady is called by the poller: first to begin, later each time there may be
// something to read. It returns true to end the wait. It checks the socket before it
// writes: the poller does not report what arrived earlier, and it wakes askReady for
// everything that arrives after the check.
func (c *clientConn) askReady(fd uintptr) bool {
	a := &c.ask
	if a.asked {
		return a.in.readReady(fd)
	}
	a.asked = true
	before := peek(fd)
	if a.stale = before != quiet && !c.since.IsZero(); a.stale {
		return true
	}
	if !a.out.writeReady(fd) || a.out.err != nil {
		return true
	}
	a.out.release() // no buffer is held during the wait
	return before != quiet || a.in.buffered() > 0
}
