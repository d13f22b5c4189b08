package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
)

// secured is a connection with TLS. While it waits, neither it nor the socket below
// it holds a buffer. Only crypto/tls keeps its own buffer, which is as large as the
// largest record received so far.
type secured struct {
	*tls.Conn
	below *below
	first [1]byte // what await has read
	ahead bool    // there is a byte in first
	spent bool    // the last Read took all that TLS had opened
}

// await waits until there is something to read. It reads a single byte: with a
// longer read, a whole buffer would be held during the wait.
func (s *secured) await() error {
	if s.ahead {
		return nil
	}
	n, err := s.Conn.Read(s.first[:])
	if s.spent, s.ahead = false, n > 0; s.ahead {
		return nil
	}
	return err
}

// Read implements io.Reader. It returns the content of all records that have
// arrived, so that what was sent in one write is passed on in one write.
func (s *secured) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := s.await(); err != nil {
		return 0, err
	}
	p[0], s.ahead = s.first[0], false
	s.below.dry = true
	defer func() { s.below.dry = false }()
	for n := 1; ; {
		more, err := s.Conn.Read(p[n:])
		n += more
		s.spent = n < len(p) && (err == nil || errors.Is(err, errDry))
		if n == len(p) || err != nil || s.below.in.buffered() == 0 {
			return n, nil // any error but errDry is returned again by the next Read
		}
	}
}

// writeAll writes what takes several records. The socket is given as many records at
// once as a batch holds: one by one, writing them costs more than encrypting them.
func (s *secured) writeAll(all [][]byte) (n int64, err error) {
	s.below.collect()
	for _, p := range all {
		var one int
		one, err = s.Conn.Write(p)
		if n += int64(one); err != nil {
			break
		}
	}
	if e := s.below.deliver(); err == nil {
		err = e
	}
	return n, err
}

// empty reports whether TLS holds nothing: no bytes for the application, no part
// of a record, and no close_notify. It does not read the socket.
func (s *secured) empty() bool {
	switch {
	case s.ahead:
		return false
	case s.drained():
		return !s.below.inRecord()
	}
	s.below.dry = true
	n, err := s.Conn.Read(s.first[:])
	s.below.dry = false
	s.ahead = n > 0
	return n == 0 && errors.Is(err, errDry) && !s.below.inRecord()
}

// drained reports whether TLS surely has nothing to return before more arrives on
// the socket. It may be false although TLS has nothing.
func (s *secured) drained() bool {
	return s.spent && !s.ahead && s.below.in.buffered() == 0
}

// maxNamed is for how many names a client keeps a configuration.
const maxNamed = 256

// configFor is the configuration for connections to a host of that name. They share it:
// one of its own would be half a kilobyte of each.
func (c *Client) configFor(name string) *tls.Config {
	if c.tls.ServerName != "" {
		return c.tls
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	config := c.named[name]
	if config == nil {
		if len(c.named) >= maxNamed {
			c.named = nil
		}
		if c.named == nil {
			c.named = map[string]*tls.Config{}
		}
		config = c.tls.Clone() // sessions are shared by the clones
		config.ServerName = name
		c.named[name] = config
	}
	return config
}

// handshake performs the TLS handshake on conn and returns the secured connection.
func (c *clientConn) handshake(ctx context.Context, conn net.Conn, name string) (*secured, error) {
	config := c.client.configFor(name)
	s := &secured{below: newBelow(conn)}
	s.Conn = tls.Client(s.below, config)
	if err := s.HandshakeContext(ctx); err != nil {
		s.below.release()
		if strings.Contains(err.Error(), "no application protocol") {
			err = fmt.Errorf("%w: a host that speaks only HTTP/2 must be named in %s", err, HTTP2Env)
		}
		return nil, err
	}
	return s, nil
}

// below is the connection under TLS. It gives TLS one record at a time, so that
// TLS's buffer is no larger than a record, and tracks how much of the current record
// TLS has read. While dry is set, it returns what is buffered and does not read the
// socket. While hold is set, it buffers what TLS writes.
type below struct {
	net.Conn
	in   source
	out  output
	dry  bool
	hold bool // what TLS writes stays in out, if it fits

	writing sync.Mutex // TLS may answer what it reads while writeAll writes
	batch   []byte     // collects what TLS writes; nil unless writeAll writes

	head   int // bytes of a record's header that TLS has taken
	header [recordHeader]byte
	left   int // bytes that the record still has, once its header has been taken
}

func newBelow(conn net.Conn) *below {
	b := &below{Conn: conn}
	b.in.open(conn)
	b.out.open(conn, -1, b.in.raw)
	return b
}

// release gives the buffers back.
func (b *below) release() {
	b.in.release()
	b.out.release()
}

// Read implements io.Reader.
func (b *below) Read(p []byte) (int, error) {
	most := recordHeader - b.head
	if most == 0 {
		most = b.left
	}
	p = p[:min(len(p), most)]
	var n int
	switch {
	case b.in.buffered() > 0:
	case b.dry:
		return 0, errDry
	case len(p) >= bufferSize: // p is large enough: no buffer is needed
		n, err := b.Conn.Read(p)
		b.follow(p[:n])
		return n, err
	default:
		if err := b.in.fill(bufferSize); err != nil {
			return 0, err
		}
	}
	n = copy(p, b.in.unread())
	b.in.skip(n)
	b.follow(p[:n])
	return n, nil
}

// Write implements io.Writer.
func (b *below) Write(p []byte) (int, error) {
	b.writing.Lock()
	defer b.writing.Unlock()
	if b.batch != nil {
		return len(p), b.add(p)
	}
	if b.hold && len(b.out.room())+len(p) <= bufferSize {
		b.out.buf = append(b.out.buf, p...)
		return len(p), b.out.err
	}
	if err := b.out.flush(); err != nil {
		return 0, err
	}
	before := b.out.sent
	b.out.send(p)
	return int(b.out.sent - before), b.out.err
}

// A batch holds seven records of the largest size; more of them cost hardly less.
const (
	maxRecord = 16<<10 + 256 // bytes with all that a record has beside its content (RFC 8446 §5.2)
	batchSize = 7 * maxRecord
)

var batches = sync.Pool{New: func() any { return new([batchSize]byte) }}

// collect makes Write collect what it is given, until deliver.
func (b *below) collect() {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.batch = batches.Get().(*[batchSize]byte)[:0]
}

// add collects p, and writes what has been collected when there is no room for it.
func (b *below) add(p []byte) error {
	if len(b.batch)+len(p) > batchSize {
		b.out.send(b.batch)
		b.batch = b.batch[:0]
	}
	b.batch = append(b.batch, p...)
	return b.out.err
}

// deliver writes what has been collected.
func (b *below) deliver() error {
	b.writing.Lock()
	defer b.writing.Unlock()
	if b.out.err == nil {
		b.out.send(b.batch)
	}
	batches.Put((*[batchSize]byte)(b.batch[:batchSize]))
	b.batch = nil
	return b.out.err
}

// recordHeader is how long the header of a TLS record is; its last two bytes
// are the length of what follows (RFC 8446 §5.1).
const recordHeader = 5

// follow counts the bytes p that TLS was given. They belong to the header or to the
// body of one record.
func (b *below) follow(p []byte) {
	if b.head < recordHeader {
		if b.head += copy(b.header[b.head:], p); b.head < recordHeader {
			return
		}
		b.left = int(b.header[recordHeader-2])<<8 | int(b.header[recordHeader-1])
	} else {
		b.left -= len(p)
	}
	if b.left == 0 {
		b.head = 0
	}
}

// inRecord reports whether TLS has read only a part of the current record.
func (b *below) inRecord() bool { return b.head > 0 }

// errDry is returned by a dry connection. It is a timeout, because crypto/tls can
// continue after a temporary error only.
var errDry error = dryError{}

type dryError struct{}

func (dryError) Error() string   { return "nothing is read now" }
func (dryError) Timeout() bool   { return true }
func (dryError) Temporary() bool { return true }
