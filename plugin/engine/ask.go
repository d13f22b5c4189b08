package engine

import (
	"errors"

	"go-ai-proxy/plugin/wire"
)

// asking is a small request on its way: one call of the poller looks at the
// socket, writes the request and waits for the answer. Three calls would look at
// the socket twice and take its locks three times.
type asking struct {
	step  func(fd uintptr) bool // clientConn.askReady, made once
	in    *source               // of the socket
	out   *output
	asked bool // the request has been written, as far as the socket took it
	stale bool // something had come before it was
}

// maxAsked bounds what is asked in one go, in bytes: it must fit into a buffer,
// as a record of TLS, too.
const maxAsked = bufferSize - 512

// errStale is an idle connection that was closed, or on which the provider has
// sent what nobody asked for. Nothing was written.
var errStale = errors.New("the idle connection cannot be used")

// canAsk says that the request whose head is in the buffer can be asked in one go.
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
// to begin. What ends the wait otherwise is for the next read to say.
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

// askReady is told, first, that it may begin and then that there may be something
// to read; true ends the wait. It looks before it writes: the poller has forgotten
// what came before, and what comes after the look wakes it.
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
	a.out.release() // none is held while it waits
	return before != quiet || a.in.buffered() > 0
}
