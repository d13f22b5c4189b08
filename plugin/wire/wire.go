// Package wire is the seam between the relay and the HTTP engines on its two
// sides: the relay's core knows what is here and no engine, so that either side
// can be replaced.
package wire

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Sink takes the answer for the client. An error means that the client is
// gone; the relay then stops.
type Sink interface {
	// Start sends status and header; length is that of the body in bytes, -1 when unknown.
	Start(status int, header http.Header, length int64) error
	// Write sends bytes of the body; p may be reused afterwards.
	Write(p []byte) error
	// Flush hands over what was written. It is called once for all events that
	// arrived together.
	Flush() error
	// Abort breaks the connection, so that a cut-off answer does not look complete. An
	// answer that is not aborted ends when the relay returns.
	Abort()
}

// Outgoing is a request to a provider.
type Outgoing struct {
	Method string
	URL    *url.URL
	Header http.Header
	// Pieces is the body in order; they alias the client's body. Replayable. They
	// are the caller's again when Do returns.
	Pieces [][]byte
	// Stream is the body instead of Pieces where it is not held in memory, and
	// Length its size in bytes or -1.
	Stream   io.Reader
	Length   int64
	Timeouts Timeouts
}

// Timeouts of one attempt; zero is none.
type Timeouts struct {
	Connect time.Duration // TCP and TLS
	Write   time.Duration // the whole request
	Read    time.Duration // until the answer's header, and between two reads of the body
}

// Answer is a provider's answer. Its body must be closed.
type Answer struct {
	Status int
	Header http.Header
	Body   io.ReadCloser
	Peer   string // the address that answered, "ip:port"
}

// Length is that of the body in bytes as the provider gives it, -1 when it does
// not, or when the body is compressed.
func (a *Answer) Length() int64 {
	n, err := strconv.ParseInt(First(a.Header, "Content-Length"), 10, 64)
	if err != nil || First(a.Header, "Content-Encoding") != "" {
		return -1
	}
	return n
}

// First is h.Get for a name that is in canonical form.
func First(h http.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// HeaderValue is s without the characters that a header cannot hold.
func HeaderValue(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, s)
}

// ErrMalformed is a body that cannot be what was sent: its framing is broken.
// Reading the client's gives it to the relay, which refuses the request.
var ErrMalformed = errors.New("malformed body")

// ErrClientGone replaces the errors of reading from and writing to a client that has
// disconnected.
var ErrClientGone = errors.New("the client is gone")

// Upstream sends requests to providers. It follows no redirects, adds no
// headers of its own but Host and Content-Length, and does not decompress.
type Upstream interface {
	// Do sends a request and returns the answer when its header has come; ctx holds
	// until the answer's body is closed. Errors are *TransportError, or what reading
	// Outgoing.Stream failed with.
	Do(ctx context.Context, out *Outgoing) (*Answer, error)
}

// TransportError says that an attempt got no answer.
type TransportError struct {
	Phase   Phase
	Timeout bool
	Err     error
}

// Phase is how far an attempt got.
type Phase int

// The phases of an attempt.
const (
	Connecting Phase = iota // nothing was sent
	Sent                    // the request, or part of it, was sent
	Reading                 // the answer's header had come
)

func (e *TransportError) Error() string { return e.Err.Error() }
func (e *TransportError) Unwrap() error { return e.Err }
