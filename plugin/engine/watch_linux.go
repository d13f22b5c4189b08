package engine

import (
	"os"
	"runtime/debug"
	"sync"
	"syscall"

	"github.com/rs/zerolog"
)

// watcher notices when clients hang up, whatever the goroutines of their connections are
// doing. It uses EPOLLRDHUP: a connection is registered once, a request costs nothing,
// and one goroutine watches all connections.
type watcher struct {
	log  zerolog.Logger
	poll *os.File // an epoll; nil if the kernel refused it

	mu    sync.Mutex
	conns map[int32]*serverConn
	last  int32
}

func newWatcher(log zerolog.Logger) *watcher {
	w := &watcher{log: log, conns: map[int32]*serverConn{}}
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err == nil {
		err = syscall.SetNonblock(fd, true) // so that the runtime waits for it
	}
	if err != nil {
		log.Error().Err(err).Msg("clients that leave will be noticed late")
		return w
	}
	w.poll = os.NewFile(uintptr(fd), "epoll")
	go w.run()
	return w
}

// hangUp is the mask of epoll events. They are edge-triggered: each is reported once.
const hangUp = syscall.EPOLLRDHUP | syscall.EPOLLHUP | syscall.EPOLLERR | 1<<31

func (w *watcher) add(c *serverConn) {
	if w.poll == nil || c.in.raw == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.last++; w.conns[w.last] != nil; w.last++ { // in case the numbers have wrapped around
	}
	id := w.last
	ev := syscall.EpollEvent{Events: hangUp, Fd: id} // the kernel does not use Fd
	err := w.control(func(poll int) error {
		var err error
		if e := c.in.raw.Control(func(fd uintptr) {
			err = syscall.EpollCtl(poll, syscall.EPOLL_CTL_ADD, int(fd), &ev)
		}); e != nil {
			return e
		}
		return err
	})
	if err == nil {
		c.watched = id
		w.conns[id] = c
	}
}

// remove must be called before the connection is closed or given away.
func (w *watcher) remove(c *serverConn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conns[c.watched] == c {
		delete(w.conns, c.watched)
	}
}

// control calls f with the epoll's descriptor, if it is still open.
func (w *watcher) control(f func(fd int) error) error {
	raw, err := w.poll.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}

// run calls hungUp of connections whose clients have left, until close.
func (w *watcher) run() {
	raw, err := w.poll.SyscallConn()
	if err != nil {
		return
	}
	events := make([]syscall.EpollEvent, 64)
	for w.tell(raw, events) {
	}
}

// tell waits for events and handles them. It returns false when the watcher is closed. It
// recovers from panics, so that the other connections are still watched.
func (w *watcher) tell(raw syscall.RawConn, events []syscall.EpollEvent) (again bool) {
	defer func() {
		if p := recover(); p != nil {
			w.log.Error().Interface("panic", p).Str("stack", string(debug.Stack())).Msg("watching clients")
			again = true
		}
	}()
	n := 0
	err := raw.Read(func(fd uintptr) bool {
		var err error
		n, err = syscall.EpollWait(int(fd), events, 0)
		return n > 0 || err != nil && err != syscall.EINTR
	})
	if err != nil || n < 0 {
		return false
	}
	for _, ev := range events[:n] {
		w.mu.Lock()
		c := w.conns[ev.Fd]
		w.mu.Unlock()
		if c != nil {
			c.hungUp(ev.Events&(syscall.EPOLLHUP|syscall.EPOLLERR) != 0)
		}
	}
	return true
}

func (w *watcher) close() {
	if w.poll != nil {
		w.poll.Close()
	}
}
