package engine

import (
	"context"
	"net"
	"sync"
	"time"
)

// closeSoon closes conn without waiting. Close in package net waits until every running
// read and write has returned, which takes long on a busy machine. The deadline ends
// them at once, unless they are setting it themselves at this moment.
func closeSoon(conn net.Conn) {
	_ = conn.SetDeadline(past) // it only fails on a closed connection
	go conn.Close()
}

// lifetime is the context of one request. It ends when the client is gone or the request
// is answered. It allocates nothing until Done is called. It can close a connection to
// a provider itself, so that no goroutine has to wait for its end.
type lifetime struct {
	mu    sync.Mutex
	err   error
	done  chan struct{}        // made by Done
	cut   net.Conn             // closed when the lifetime ends
	calls map[*func()]struct{} // the functions given to AfterFunc
}

var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Deadline implements context.Context.
func (*lifetime) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value implements context.Context.
func (*lifetime) Value(any) any { return nil }

// Err implements context.Context.
func (l *lifetime) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Done implements context.Context.
func (l *lifetime) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == nil {
		if l.err != nil {
			return closed
		}
		l.done = make(chan struct{})
	}
	return l.done
}

// AfterFunc calls f in its own goroutine when the lifetime ends. Package context uses
// it, so that a context derived from this one needs no goroutine.
func (l *lifetime) AfterFunc(f func()) (stop func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		go f()
		return func() bool { return false }
	}
	if l.calls == nil {
		l.calls = map[*func()]struct{}{}
	}
	l.calls[&f] = struct{}{}
	return func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		_, ok := l.calls[&f]
		delete(l.calls, &f)
		return ok
	}
}

// hold makes conn close when the lifetime ends. It returns false when the lifetime
// has ended or holds another connection.
func (l *lifetime) hold(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil || l.cut != nil {
		return false
	}
	l.cut = conn
	return true
}

// let releases conn. It returns false if conn has been closed.
func (l *lifetime) let() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = nil
	return l.err == nil
}

// end ends the lifetime, once.
func (l *lifetime) end() {
	l.mu.Lock()
	if l.err != nil {
		l.mu.Unlock()
		return
	}
	l.err = context.Canceled
	if l.done != nil {
		close(l.done)
	}
	cut, calls := l.cut, l.calls
	l.cut, l.calls = nil, nil
	l.mu.Unlock()
	if cut != nil {
		closeSoon(cut)
	}
	for f := range calls {
		go (*f)()
	}
}
