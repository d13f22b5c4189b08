package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
)

// secured is TLS on a connection. crypto/tls reads ahead: what the other side
// has sent may lie inside it, where no look at the socket finds it.
type secured struct {
	*tls.Conn
	below *below
	one   [1]byte // for empty, here so that it allocates nothing
}

// empty says that nothing lies inside TLS: no bytes for the application, no
// part of a record, and no farewell. It does not read the socket.
func (s *secured) empty() bool {
	s.below.dry = true
	n, err := s.Conn.Read(s.one[:])
	s.below.dry = false
	return n == 0 && errors.Is(err, errDry) && !s.below.inRecord()
}

// handshake is TLS on conn.
func (c *clientConn) handshake(ctx context.Context, conn net.Conn, name string) (*secured, error) {
	config := c.client.tls
	if config.ServerName == "" {
		config = config.Clone() // sessions are shared by the clones
		config.ServerName = name
	}
	s := &secured{below: &below{Conn: conn}}
	s.Conn = tls.Client(s.below, config)
	if err := s.HandshakeContext(ctx); err != nil {
		if strings.Contains(err.Error(), "no application protocol") {
			err = fmt.Errorf("%w: a host that speaks only HTTP/2 must be named in %s", err, HTTP2Env)
		}
		return nil, err
	}
	return s, nil
}

// below is the connection under TLS. It counts where in a record the bytes end
// that TLS has read, and can be dry: then it gives no more.
type below struct {
	net.Conn
	dry  bool
	head int // bytes of a record's header that have been read
	left int // bytes that the record still has, once its header has been read
}

// Read implements io.Reader.
func (b *below) Read(p []byte) (int, error) {
	if b.dry {
		return 0, errDry
	}
	n, err := b.Conn.Read(p)
	b.follow(p[:n])
	return n, err
}

// recordHeader is how long the header of a TLS record is; its last two bytes
// are the length of what follows (RFC 8446 §5.1).
const recordHeader = 5

func (b *below) follow(p []byte) {
	for len(p) > 0 {
		if b.head == recordHeader {
			n := min(b.left, len(p))
			p = p[n:]
			if b.left -= n; b.left == 0 {
				b.head = 0
			}
			continue
		}
		switch b.head++; b.head {
		case recordHeader - 1:
			b.left = int(p[0]) << 8
		case recordHeader:
			if b.left += int(p[0]); b.left == 0 {
				b.head = 0
			}
		}
		p = p[1:]
	}
}

// inRecord says that a record was read in part.
func (b *below) inRecord() bool { return b.head > 0 }

// errDry is what a dry connection gives. TLS goes on after a passing error, and
// takes a timeout for one.
var errDry error = dryError{}

type dryError struct{}

func (dryError) Error() string   { return "nothing is read now" }
func (dryError) Timeout() bool   { return true }
func (dryError) Temporary() bool { return true }
