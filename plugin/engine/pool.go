package engine

import (
	"runtime/debug"
	"sync"
	"time"
)

// Limits of idle connections. The age is below the keep-alive time of all providers (the
// shortest known is 60 s), so that a pooled connection is seldom one that was just
// closed.
const (
	maxIdle       = 4096
	maxIdleOrigin = 1024
	maxIdleAge    = 25 * time.Second
)

// origin is where requests go. Each connection belongs to one.
type origin struct{ scheme, host string }

// pool keeps idle connections; the most recent one is used first. A timer removes old
// ones. It only runs while there are idle connections.
type pool struct {
	mu     sync.Mutex
	idle   map[origin][]*clientConn
	n      int
	sweep  *time.Timer
	closed bool
}

// get returns a connection that is not too old, or nil. The provider may have closed it,
// so the caller checks before writing.
func (p *pool) get(to origin) *clientConn {
	for {
		c := p.pop(to)
		if c == nil {
			return nil
		}
		if time.Since(c.since) < maxIdleAge {
			return c
		}
		c.close()
	}
}

func (p *pool) pop(to origin) *clientConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.idle[to]
	if len(list) == 0 {
		return nil
	}
	c := list[len(list)-1]
	list[len(list)-1] = nil
	p.idle[to] = list[:len(list)-1]
	p.n--
	return c
}

// put keeps a connection, or closes it if there are too many.
func (p *pool) put(c *clientConn) {
	c.since = time.Now()
	p.mu.Lock()
	list := p.idle[c.origin]
	if p.closed || p.n >= maxIdle || len(list) >= maxIdleOrigin {
		p.mu.Unlock()
		c.close()
		return
	}
	if p.idle == nil {
		p.idle = map[origin][]*clientConn{}
	}
	p.idle[c.origin] = append(list, c)
	if p.n++; p.n == 1 {
		p.schedule()
	}
	p.mu.Unlock()
}

// schedule starts the timer that calls expire.
func (p *pool) schedule() {
	if p.sweep == nil {
		p.sweep = time.AfterFunc(maxIdleAge/5, p.expire)
		return
	}
	p.sweep.Reset(maxIdleAge / 5)
}

// expire closes connections that are too old or have been closed by the provider.
func (p *pool) expire() {
	defer func() {
		if recover() != nil { // nobody is left who could report it
			debug.PrintStack()
		}
	}()
	for _, c := range p.stale() {
		c.close()
	}
}

// stale removes and returns the connections that expire closes.
func (p *pool) stale() (over []*clientConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for to, list := range p.idle {
		kept := list[:0]
		for _, c := range list {
			if time.Since(c.since) < maxIdleAge && c.silent() {
				kept = append(kept, c)
			} else {
				over = append(over, c)
			}
		}
		clear(list[len(kept):])
		if p.idle[to] = kept; len(kept) == 0 {
			delete(p.idle, to)
		}
	}
	if p.n -= len(over); p.n > 0 && !p.closed {
		p.schedule()
	}
	return over
}

// makeRoom closes all idle connections, because no descriptors are left. It reports whether
// there were any.
func (p *pool) makeRoom() bool {
	p.mu.Lock()
	idle, n := p.idle, p.n
	p.idle, p.n = nil, 0
	p.mu.Unlock()
	for _, list := range idle {
		for _, c := range list {
			c.close()
		}
	}
	return n > 0
}

// close closes all idle connections. Later ones are not kept.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	if p.sweep != nil {
		p.sweep.Stop()
	}
	p.mu.Unlock()
	p.makeRoom()
}
