//go:build !linux

package engine

import (
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// watcher notices when clients hang up. Without epoll it checks the sockets of open
// requests fifty times a second.
type watcher struct {
	mu    sync.Mutex
	conns map[*serverConn]struct{}
	stop  chan struct{}
}

func newWatcher(zerolog.Logger) *watcher {
	w := &watcher{conns: map[*serverConn]struct{}{}, stop: make(chan struct{})}
	go w.run()
	return w
}

func (w *watcher) add(c *serverConn) {
	if c.in.raw == nil {
		return
	}
	w.mu.Lock()
	w.conns[c] = struct{}{}
	w.mu.Unlock()
}

// remove must be called before the connection is closed or given away.
func (w *watcher) remove(c *serverConn) {
	w.mu.Lock()
	delete(w.conns, c)
	w.mu.Unlock()
}

func (w *watcher) run() {
	t := time.NewTicker(20 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-t.C:
		}
		var over []*serverConn
		w.mu.Lock()
		for c := range w.conns {
			if c.state.Load() == busy && c.glance() == ended {
				over = append(over, c)
			}
		}
		w.mu.Unlock()
		for _, c := range over {
			c.hungUp(false)
		}
	}
}

func (w *watcher) close() { close(w.stop) }
