package engine

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"syscall"
	"time"
)

// source reads a connection through a buffer that it holds only while there is
// something in it: thousands of waiting connections hold no buffers.
type source struct {
	conn net.Conn
	raw  syscall.RawConn // of a plain socket, otherwise nil
	tls  *secured        // conn, where it is one
	time timer           // the read deadline
	wait time.Duration   // how long one read of a body may take; 0 means no limit

	buf  []byte // nil when there is nothing in it
	r, w int    // buf[r:w] is unread
	turn int    // bytes read since share last let other goroutines run

	ready  func(fd uintptr) bool // readReady, made once
	err    error                 // of readReady
	failed error                 // of await, for the next read
}

// errLong is returned for a line or a head above its limit.
var errLong = errors.New("line or header too long")

func newSource(conn net.Conn) *source {
	s := &source{}
	s.open(conn)
	return s
}

func (s *source) open(conn net.Conn) {
	s.conn = conn
	s.time.set = conn.SetReadDeadline
	s.raw = rawConn(conn)
	s.tls, _ = conn.(*secured)
	s.ready = s.readReady
}

// buffered returns how many bytes are available without a read.
func (s *source) buffered() int { return s.w - s.r }

// unread returns the buffered bytes. They are valid until the next call.
func (s *source) unread() []byte { return s.buf[s.r:s.w] }

// skip drops n buffered bytes.
func (s *source) skip(n int) {
	if s.r += n; s.r == s.w {
		s.release()
	}
}

// release returns the buffer to the pool; its content is lost.
func (s *source) release() {
	if s.buf != nil {
		giveBuffer(s.buf)
	}
	s.buf, s.r, s.w = nil, 0, 0
}

// fill reads once, at least one byte, and appends it to the buffer. The buffer grows
// to at most most bytes; when it is full, fill returns errLong.
func (s *source) fill(most int) error {
	if err := s.failed; err != nil {
		s.failed = nil
		return err
	}
	s.share()
	if s.buf == nil {
		if s.raw != nil {
			return s.fillReady()
		}
		if s.tls != nil {
			if err := s.tls.await(); err != nil {
				return err
			}
		}
		s.buf = takeBuffer()
	}
	if s.r > 0 {
		s.w, s.r = copy(s.buf, s.buf[s.r:s.w]), 0
	}
	if s.w == len(s.buf) {
		if s.w >= most {
			return errLong
		}
		grown := make([]byte, min(2*len(s.buf), max(most, len(s.buf)+1)))
		copy(grown, s.buf)
		giveBuffer(s.buf)
		s.buf = grown
	}
	n, err := s.conn.Read(s.buf[s.w:])
	s.w += n
	s.turn += n
	if n > 0 {
		return nil
	}
	if s.w == 0 {
		s.release()
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// fillReady waits without a buffer and takes one when there is something to read.
func (s *source) fillReady() error {
	s.err = nil
	if err := s.raw.Read(s.ready); err != nil {
		return err
	}
	s.turn += s.w
	return s.err
}

// maxTurn is how many bytes are read from a connection before other goroutines may
// run. While a peer sends faster than we read, no read ever waits, and a goroutine
// keeps its processor for the 10 ms that Go's scheduler allows. With hundreds of such
// peers the watcher, and everything else, would wait for seconds.
const maxTurn = 64 << 10

// share lets other goroutines run when maxTurn bytes have been read since the last
// time.
func (s *source) share() {
	if s.turn >= maxTurn {
		s.turn = 0
		runtime.Gosched()
	}
}

// await waits until there is something to read. An error is returned by the next
// read. It waits on the socket itself, also below TLS, since that keeps the stack
// shallow: the collector halves the stack of a goroutine that uses little of it.
func (s *source) await() {
	if s.buffered() > 0 || s.failed != nil {
		return
	}
	if s.failed = s.time.ahead(s.wait); s.failed != nil {
		return
	}
	floor := s
	if s.tls != nil && s.tls.drained() {
		floor = &s.tls.below.in
	}
	if floor.raw != nil {
		s.share()
		floor.failed = floor.fillReady()
	} else {
		s.failed = s.fill(bufferSize)
	}
}

// read reads what is available into p, with at most one read of the connection. With
// direct, and if the buffer is empty, it reads into p without the buffer.
func (s *source) read(p []byte, direct bool) (int, error) {
	if s.buffered() == 0 {
		if err := s.time.ahead(s.wait); err != nil {
			return 0, err
		}
		if direct && s.failed == nil {
			s.share()
			n, err := s.conn.Read(p)
			s.turn += n
			return n, err
		}
		if err := s.fill(bufferSize); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.unread())
	s.skip(n)
	return n, nil
}

// line returns the next line including its line feed, at most most bytes. It is
// valid until the next call. The caller skips it.
func (s *source) line(most int) ([]byte, error) {
	for seen := 0; ; {
		if i := bytes.IndexByte(s.unread()[seen:], '\n'); i >= 0 {
			if seen+i >= most {
				return nil, errLong
			}
			return s.unread()[:seen+i+1], nil
		}
		if seen = s.buffered(); seen >= most {
			return nil, errLong
		}
		if err := s.time.ahead(s.wait); err != nil {
			return nil, err
		}
		if err := s.fill(most); err != nil {
			return nil, err
		}
	}
}

// head returns a message's first line and header, including the empty line that ends
// them. It is a copy, because the headers are substrings of it.
func (s *source) head(most int) (string, error) {
	for seen := 0; ; {
		b := s.unread()
		if end := headEnd(b, seen); end > 0 {
			if end > most {
				return "", errLong
			}
			head := string(b[:end])
			s.skip(end)
			return head, nil
		}
		if len(b) >= most {
			return "", errLong
		}
		seen = max(len(b)-3, 0)
		if err := s.fill(most); err != nil {
			return "", err
		}
	}
}

// final waits for the start of the final answer's head, and skips interim answers.
func (s *source) final() error {
	const start = len("HTTP/1.1 1")
	for n, seen := 0, 0; ; {
		b := s.unread()
		switch {
		case len(b) >= start && b[start-1] != '1':
			return nil
		case len(b) >= start:
			if end := headEnd(b, seen); end > 0 {
				if n++; n > maxInterim {
					return errInterim
				}
				s.skip(end)
				seen = 0
				continue
			}
			seen = max(len(b)-3, 0)
		}
		if err := s.fill(maxAnswerHead); err != nil {
			return err
		}
	}
}

// headEnd returns the length of the head at the start of b, or 0 when its end has
// not arrived. Bytes before from have been examined already.
func headEnd(b []byte, from int) int {
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return 0
		}
		from += i + 1
		rest := b[from:]
		switch {
		case len(rest) > 0 && rest[0] == '\n':
			return from + 1
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return from + 2
		}
	}
}
