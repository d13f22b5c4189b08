package engine

import (
	"context"
	"net"
	"testing"
	"time"
)

func TestALifetimeEndsOnceAndTellsAll(t *testing.T) {
	l := &lifetime{}
	if _, ok := l.Deadline(); ok || l.Value("x") != nil || l.Err() != nil {
		t.Error("a lifetime begins with something")
	}
	done := l.Done()
	if l.Done() != done {
		t.Error("Done is another channel each time")
	}
	called := make(chan int, 3)
	l.AfterFunc(func() { called <- 1 })
	stop := l.AfterFunc(func() { called <- 2 })
	if !stop() || stop() {
		t.Error("a call is taken back, once")
	}
	stop = l.AfterFunc(func() { called <- 1 })
	l.end()
	l.end()
	select {
	case <-done:
	default:
		t.Error("Done is not closed")
	}
	if l.Err() != context.Canceled || stop() {
		t.Errorf("ended with %v", l.Err())
	}
	for range 2 {
		if n := <-called; n != 1 {
			t.Error("what was taken back is called")
		}
	}
	stop = l.AfterFunc(func() { called <- 3 })
	if n := <-called; n != 3 || stop() {
		t.Errorf("what comes after the end is called at once: %d", n)
	}
	l = &lifetime{}
	l.end()
	select {
	case <-l.Done():
	default:
		t.Error("Done after the end is not closed")
	}
}

func TestALifetimeHoldsOneConnection(t *testing.T) {
	isOpen := func(c net.Conn) bool {
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		_, err := c.Read(make([]byte, 1))
		return isTimeout(err)
	}
	pipe := func() (near, far net.Conn) {
		near, far = net.Pipe()
		t.Cleanup(func() { near.Close(); far.Close() })
		return near, far
	}
	near, far := pipe()
	other, _ := pipe()
	l := &lifetime{}
	if !l.hold(near) || l.hold(other) {
		t.Error("it holds one connection")
	}
	if !l.let() || !l.hold(near) {
		t.Error("it holds one again once it has let the other")
	}
	l.end()
	if isOpen(far) || !isOpen(other) {
		t.Error("the connection it holds, and no other, is closed at its end")
	}
	if l.let() || l.hold(other) {
		t.Error("after its end it holds none")
	}
	l = &lifetime{}
	near, far = pipe()
	if l.hold(near); !l.let() {
		t.Error("not let")
	}
	if l.end(); !isOpen(far) {
		t.Error("what it has let is closed")
	}
}
