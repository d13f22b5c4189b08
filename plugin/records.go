package plugin

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// keepRecord is how long a record waits for Kong's log phase to ask for it.
const keepRecord = time.Minute

// maxRecords bounds the records that wait; the oldest give way.
const maxRecords = 100_000

// records are the records that Kong's log phase may ask for: of streams and of
// what is too large for a header.
type records struct {
	mu    sync.Mutex
	byID  map[string]*Record
	order []waiting // by age
	last  atomic.Uint64
}

type waiting struct {
	id    string
	since time.Time
}

func newRecords() *records { return &records{byID: map[string]*Record{}} }

// reserve returns an id for a record to come.
func (s *records) reserve() string { return strconv.FormatUint(s.last.Add(1), 36) }

// add keeps rec under id, which it returns.
func (s *records) add(id string, rec *Record) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[id] = rec
	s.order = append(s.order, waiting{id, time.Now()})
	s.expire()
	return id
}

// expire forgets records that nobody asked for long after they were settled.
func (s *records) expire() {
	n := 0
	for n < len(s.order) {
		w := s.order[n]
		rec := s.byID[w.id]
		if rec != nil && len(s.order)-n <= maxRecords && (rec.pending() || time.Since(w.since) < keepRecord) {
			break
		}
		delete(s.byID, w.id)
		n++
	}
	s.order = s.order[n:]
	if len(s.order) > 2*len(s.byID)+1024 { // behind one that takes long, many were asked for
		s.order = slices.DeleteFunc(s.order, func(w waiting) bool { return s.byID[w.id] == nil })
	}
}

func (r *Record) pending() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.outcome == Pending
}

// abandon settles a record that is asked for while its request is under way:
// Kong's log phase runs then only when the client has left, which the relay is
// about to notice itself.
func (r *Record) abandon() {
	select {
	case <-r.settled:
		return
	case <-time.After(noticeTime):
	}
	r.set(func(r *Record) {
		if r.outcome == Pending {
			r.outcome, r.message = Aborted, textClientClosed
			r.estimate = estimateOutput(&r.usage, r.said) || r.estimate
			r.latency = time.Since(r.started)
			close(r.settled)
		}
	})
}

// noticeTime is how long the relay is given to notice that a client has left;
// the shim waits a little longer.
const noticeTime = 3 * time.Millisecond

// take returns the record and forgets it.
func (s *records) take(id string) *Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec := s.byID[id]
	delete(s.byID, id)
	return rec
}

// RecordSocket is the name of the Unix socket in Kong's prefix where the shim
// asks for records, with the port of the relay: after a reload of Kong two
// processes serve, and each is asked for its own.
const RecordSocket = "go-ai-proxy.%d.record.sock"

// ServeRecords answers the shim on a Unix socket in dir until it is closed: a
// line `<id> <token>` is answered with a line of JSON, empty when there is
// nothing.
func (g *Gateway) ServeRecords(dir string) (close func(), err error) {
	_, port := g.Addr()
	path := filepath.Join(dir, fmt.Sprintf(RecordSocket, port))
	removeStale(dir)
	_ = os.Remove(path) // of a process that is gone
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("socket for records: %w", err)
	}
	// Kong's workers may run as another user than its master. The token keeps
	// others out.
	if err := os.Chmod(path, 0o666); err != nil {
		l.Close()
		return nil, fmt.Errorf("socket for records: %w", err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go g.serveRecord(c)
		}
	}()
	return func() { l.Close() }, nil
}

// removeStale removes the sockets of processes that were killed.
func removeStale(dir string) {
	paths, _ := filepath.Glob(filepath.Join(dir, strings.Replace(RecordSocket, "%d", "*", 1))) // the pattern is right
	for _, path := range paths {
		c, err := net.Dial("unix", path)
		if err == nil {
			c.Close()
		} else if errors.Is(err, syscall.ECONNREFUSED) {
			_ = os.Remove(path)
		}
	}
}

func (g *Gateway) serveRecord(c net.Conn) {
	defer func() {
		if p := recover(); p != nil {
			g.log.Error().Interface("panic", p).Msg("record socket")
		}
		c.Close()
	}()
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	line, err := bufio.NewReaderSize(c, 512).ReadString('\n')
	if err != nil {
		return
	}
	id, token, _ := strings.Cut(strings.TrimSpace(line), " ")
	var b []byte
	if _, _, err := g.open(token); err == nil || err == errUnknown {
		if rec := g.records.take(id); rec != nil {
			rec.abandon()
			b = rec.Append(nil)
		}
	}
	_, _ = c.Write(append(b, '\n'))
}
