package engine

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go-ai-proxy/plugin/lines/linestest"

	"github.com/rs/zerolog"
)

// failingListener fails with what is in errs, one after another, before it
// accepts again.
type failingListener struct {
	net.Listener
	mu   sync.Mutex
	errs []error
}

func (l *failingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil || len(l.errs) == 0 {
		return c, err
	}
	c.Close()
	err, l.errs = l.errs[0], l.errs[1:]
	return nil, err
}

func (l *failingListener) fail(errs ...error) {
	l.mu.Lock()
	l.errs = errs
	l.mu.Unlock()
}

func acceptError(code syscall.Errno) error {
	return &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", code)}
}

func TestAcceptingSurvivesWhatPassesAndSaysSoOnce(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &failingListener{Listener: inner}
	log := &linestest.Buffer{}
	entered, finish := make(chan bool, 1), make(chan bool)
	s := &Server{Log: zerolog.New(log), Handler: HandlerFunc(func(x *Exchange) {
		if x.Path == "/slow" {
			entered <- true
			<-finish
		}
	})}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	defer s.Close()
	addr := inner.Addr().String()
	idle, ir := dialTest(t, addr)
	send(t, idle, get)
	response(t, ir)
	fresh, fr := dialTest(t, addr)
	busy, br := dialTest(t, addr)
	send(t, busy, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	<-entered
	_, _ = fresh, busy

	codes := []error{acceptError(syscall.EMFILE), acceptError(syscall.ENFILE), acceptError(syscall.ENOBUFS), acceptError(syscall.ENOMEM), acceptError(syscall.ECONNABORTED), acceptError(syscall.EPERM)}
	for range 2 {
		l.fail(codes...)
		for range codes {
			dialTest(t, addr)
		}
		c, r := dialTest(t, addr)
		send(t, c, get)
		response(t, r)
	}
	lines := log.Lines()
	if len(lines) != 2 || !strings.Contains(lines[0], "too many open files") || !strings.Contains(lines[1], "accepted again") {
		t.Errorf("logged %q", lines)
	}
	for what, r := range map[string]io.ByteReader{"idle": ir, "fresh": fr} {
		if _, err := r.ReadByte(); err != io.EOF {
			t.Errorf("the %s connection was not closed to make room: %v", what, err)
		}
	}
	close(finish)
	if resp, _ := response(t, br); resp.StatusCode != 200 {
		t.Errorf("the open request was answered %d", resp.StatusCode)
	}
	l.fail(acceptError(syscall.EINVAL))
	dialTest(t, addr)
	if err := <-ended; !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a listener that is none any more: %v", err)
	}
}

// A dial for which there is no descriptor closes idle connections and succeeds.
func TestIdleConnectionsMakeRoomForADial(t *testing.T) {
	a, b := scriptTCP(t, okay, false), scriptTCP(t, okay, false)
	c := newClient(t, nil, "")
	full := false
	c.dialSocket = func(ctx context.Context, address string) (net.Conn, error) {
		if full && c.pool.count() > 0 {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", syscall.EMFILE)}
		}
		return dialTCP(ctx, address)
	}
	answer, err := c.Do(context.Background(), outgoing(t, "POST", a.url().String()))
	text(t, answer, err)
	full = true
	answer, err = c.Do(context.Background(), outgoing(t, "POST", b.url().String()))
	text(t, answer, err)
	a.mu.Lock()
	defer a.mu.Unlock()
	for end := time.Now().Add(20 * time.Second); len(a.open) > 0 && time.Now().Before(end); {
		a.mu.Unlock()
		time.Sleep(time.Millisecond)
		a.mu.Lock()
	}
	if len(a.open) > 0 {
		t.Error("the idle connection is still open")
	}
}

// count is how many connections are idle.
func (p *pool) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}
