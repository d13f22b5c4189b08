// Package resp stands between go-redis and a Redis that is out of order, or is
// no Redis. The client makes room for as many elements and bytes as an answer
// claims and reads nested answers by recursion: a few bytes (`*2147483647`, or
// `*1` again and again) end the process by running out of memory or of stack,
// which nobody can recover. Dialer returns connections that read along and end
// themselves before the client sees such an answer; LogTo has the client's own
// lines go to our log.
//
// Start with guard.check: the framing of
// https://redis.io/docs/latest/develop/reference/protocol-spec/ and its limits.
package resp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
)

// Options returns the options of a client of the Redis at url (redis://, rediss:// for
// TLS, unix://) that guards its connections, waits for patience at most, and repeats
// nothing, since a command that failed may have been carried out. The error does not
// quote url, which may have a password.
func Options(url string, patience time.Duration) (*redis.Options, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("the URL of Redis cannot be read: it is like redis://user:password@host:6379/0")
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = patience, patience, patience
	o.Dialer = Dialer(patience, o.TLSConfig)
	o.MaxRetries, o.DisableIdentity, o.Protocol = -1, true, 2
	return o, nil
}

// Dialer returns what go-redis is to dial with. t is nil for no TLS.
func Dialer(timeout time.Duration, t *tls.Config) func(ctx context.Context, network, addr string) (net.Conn, error) {
	dial := redis.NewDialer(&redis.Options{DialTimeout: timeout, TLSConfig: t})
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return guarded(c), nil
	}
}

// conn is a connection whose answers are within the limits.
type conn struct {
	net.Conn
	guard guard
	err   error
}

func guarded(c net.Conn) net.Conn {
	g := &conn{Conn: c}
	if raw, ok := c.(syscall.Conn); ok { // go-redis looks at idle sockets through it
		return struct {
			*conn
			syscall.Conn
		}{g, raw}
	}
	return g
}

// Read returns nothing of a chunk in which a limit is passed, and never
// anything after it.
func (c *conn) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.Conn.Read(p)
	if c.err = c.guard.check(p[:n]); c.err != nil {
		c.Close()
		return 0, c.err
	}
	return n, err
}

// LogTo has the lines of go-redis, of all its clients, go to log.
func LogTo(log zerolog.Logger) { redis.SetLogger(lines{log}) }

type lines struct{ log zerolog.Logger }

// Printf is what go-redis asks of a logger.
func (l lines) Printf(_ context.Context, format string, v ...any) {
	l.log.Warn().Str("error", fmt.Sprintf(format, v...)).Msg("the client of Redis says")
}
