package gateway

import (
	"bufio"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/server"
)

// The conversation on the records' socket. Each of Kong's workers connects once and says
//
//	<worker> <token>
//
// From then on it is sent the record of each of its requests that has none in
// its header as
//
//	<id> <JSON>
//
// before the last byte of the request's answer, so that Kong's log phase finds
// it in the socket and waits for nobody. For a record that did not come (its
// client has left, or the socket was full) it asks
//
//	<id> over|left [traced]
//
// and is answered in the same form, without JSON when there is none. "left" says
// that the request's client did not stay to its end, "traced" that Kong makes a
// span of it. Instead of a question it may say
//
//	removed <plugin>
//
// when Kong no longer has that plugin. A relay that is about to end
// says so with the id "leaving": the worker's next request asks Kong's access
// phase where to go.
const (
	leavingLine  = "leaving \n"
	removedID    = "removed"
	maxQuestion  = 512             // bytes of a line of the worker's
	greetingTime = 2 * time.Second // for a worker's first line
	answerTime   = 2 * time.Second // for writing an answer to it
	maxPushed    = 16 << 10        // bytes of a record that is sent unasked: the socket holds a few of them
)

// What a record that is asked for is waited for, at the most: the worker stands
// still meanwhile, for half a second if it must.
const (
	// noticeTime is how long the relay is given to notice that a client has left.
	noticeTime = 3 * time.Millisecond
	// beginTime is how long a request that Kong has sent may take to begin.
	beginTime = 250 * time.Millisecond
	// endTime is how long a request whose answer Kong has may take to end.
	endTime = 400 * time.Millisecond
)

// recordSocket sends Kong's workers the records of their requests.
type recordSocket struct {
	records *record.Store
	known   func(token string) bool
	removed func(plugin string) // nil if nobody wants to know
	log     zerolog.Logger

	mu      sync.Mutex
	conns   map[*workerConn]struct{} // nil once closed
	workers map[string]*workerConn
	leaving bool
}

// workerConn is the connection of one of Kong's workers.
type workerConn struct {
	net.Conn
	writing sync.Mutex
}

func newRecordSocket(records *record.Store, known func(string) bool, log zerolog.Logger) *recordSocket {
	return &recordSocket{records: records, known: known, log: log, conns: map[*workerConn]struct{}{}, workers: map[string]*workerConn{}}
}

// serve serves the workers that connect to l, until it is closed.
func (s *recordSocket) serve(l net.Listener) {
	_ = server.Accept(l, s.log, "records", func(c net.Conn) { // only the listener's end ends it
		if w := s.add(c); w != nil {
			go s.converse(w)
		}
	})
}

// add returns nil once the socket is closed.
func (s *recordSocket) add(c net.Conn) *workerConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil {
		c.Close()
		return nil
	}
	w := &workerConn{Conn: c}
	s.conns[w] = struct{}{}
	return w
}

func (s *recordSocket) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
	}
	s.conns = nil
}

// leave tells the workers that the relay is about to end, and returns whether
// there is one to be told.
func (s *recordSocket) leave() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaving = true
	for _, c := range s.workers {
		c.tellLeaving()
	}
	return len(s.workers) > 0
}

// connected says whether one of Kong's workers is there.
func (s *recordSocket) connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.workers) > 0
}

// tellLeaving closes the connection when the message does not fit into the socket,
// which the worker understands in the same way.
func (c *workerConn) tellLeaving() bool {
	told := c.push([]byte(leavingLine))
	if !told {
		c.Close()
	}
	return told
}

// converse serves one connection. It reads no more than a short line from a peer
// that has not shown a token.
func (s *recordSocket) converse(c *workerConn) {
	name := ""
	defer func() {
		if p := recover(); p != nil {
			s.log.Error().Interface("panic", p).Msg("records")
		}
		c.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
		if s.workers[name] == c {
			delete(s.workers, name)
		}
	}()
	in := bufio.NewReaderSize(c, maxQuestion)
	_ = c.SetReadDeadline(time.Now().Add(greetingTime))
	name, token, ok := question(in)
	if !ok || !s.known(token) {
		return
	}
	_ = c.SetReadDeadline(time.Time{}) // a worker may have nothing to ask for hours
	s.mu.Lock()
	s.workers[name] = c
	leaving := s.leaving
	s.mu.Unlock()
	if leaving && !c.tellLeaving() {
		return
	}
	for {
		id, how, ok := question(in)
		if !ok {
			return
		}
		if id == removedID {
			if s.removed != nil {
				s.removed(how)
			}
			continue
		}
		if c.write(s.answer(id, how), answerTime) != nil {
			return
		}
	}
}

// question reads one line of two words.
func question(in *bufio.Reader) (first, second string, ok bool) {
	line, err := in.ReadSlice('\n')
	if err != nil { // bufio.ErrBufferFull for a line that is too long
		return "", "", false
	}
	return strings.Cut(strings.TrimSpace(string(line)), " ")
}

// answer is the line with the record of id.
func (s *recordSocket) answer(id, how string) []byte {
	line := append([]byte(id), ' ')
	how, traced := strings.CutSuffix(how, " traced")
	rec, given := s.records.Await(id, beginTime)
	if rec != nil {
		if how == "over" {
			rec.Abandon(endTime)
		} else {
			rec.Abandon(noticeTime)
		}
		line = rec.AppendForKong(line, traced)
	}
	return append(append(line, given...), '\n')
}

// push sends a settled record to the worker that the request came from, without
// waiting for it. It returns the record in JSON, or nil when the worker must ask.
func (s *recordSocket) push(worker, id string, rec *record.Record, traced bool) []byte {
	s.mu.Lock()
	c := s.workers[worker]
	s.mu.Unlock()
	if c == nil || rec.PayloadSize() > maxPushed {
		return nil
	}
	line := append(rec.AppendForKong(append([]byte(id), ' '), traced), '\n')
	if len(line) > maxPushed || !c.push(line) {
		return nil
	}
	return line[len(id)+1 : len(line)-1]
}

// write writes a line within the given time.
func (c *workerConn) write(line []byte, limit time.Duration) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	_ = c.SetWriteDeadline(time.Now().Add(limit))
	_, err := c.Write(line)
	_ = c.SetWriteDeadline(time.Time{})
	return err
}

// push writes a line if there is room for it now.
func (c *workerConn) push(line []byte) bool {
	if !c.writing.TryLock() {
		return false // a long answer is on its way
	}
	defer c.writing.Unlock()
	raw, err := c.Conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return false
	}
	n := 0
	err = raw.Write(func(fd uintptr) bool {
		n, _ = syscall.Write(int(fd), line) // -1 when there is no room
		return true
	})
	if n > 0 && n < len(line) {
		c.Close() // the worker comes again, and asks
	}
	return err == nil && n == len(line)
}
