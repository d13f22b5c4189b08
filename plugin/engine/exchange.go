package engine

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
)

// Exchange is a client's request and its answer. It belongs to the goroutine that
// serves it, and implements wire.Sink.
type Exchange struct {
	Method        string
	Target        string // as in the request line
	Path          string // of Target, escaped
	RawQuery      string
	Host          string      // from Target or, usually, from the Host header, which is not in Header
	Header        http.Header // the handler may change it
	ContentLength int64       // of the body in bytes, -1 if unknown
	RemoteAddr    string      // "ip:port"

	// What every write uses comes first, so that it is in one cache line.
	conn    *serverConn
	began   bool    // Start was called
	framing framing // of the answer
	mute    bool    // the answer has no body
	broken  bool    // Abort was called
	ended   bool    // End was called
	keep    bool    // the client keeps the connection after this request
	expects bool    // the client waits for 100 before it sends its body
	left    int64   // bytes of an answer with Content-Length that have not been written
	minor   int     // of the client's HTTP version
	life    lifetime
	body    body

	upgraded bool // guarded by the connection; the engine no longer watches whether the client leaves
	hijacked bool

	std *stdExchange // instead of conn, if net/http serves the client
}

// maxRest is how many bytes of a body that the handler has not read are read so that
// the connection can be used again.
const maxRest = 256 << 10

// Context returns a context that ends when the client is gone or the request is answered.
func (x *Exchange) Context() context.Context { return &x.life }

// Body returns the request's body, or nil if it has none.
func (x *Exchange) Body() io.Reader {
	switch {
	case x.body.framing == empty:
		return nil
	case x.std != nil:
		return readerFunc(x.std.read)
	}
	return (*requestBody)(x)
}

// requestBody sends 100 Continue if the client waits for it.
type requestBody Exchange

// Read implements io.Reader.
func (r *requestBody) Read(p []byte) (int, error) {
	x := (*Exchange)(r)
	if x.body.err != nil {
		return 0, x.body.err
	}
	if x.expects {
		x.expects = false
		if !x.began {
			x.conn.out.appendString("HTTP/1.1 100 Continue\r\n\r\n")
			if err := x.conn.out.flush(); err != nil {
				return 0, err
			}
		}
	}
	n, err := x.body.Read(p)
	if err == io.EOF {
		x.conn.received()
	}
	return n, err
}

var (
	errStarted = errors.New("the answer has begun")
	errAborted = errors.New("the answer was aborted")
	errLength  = errors.New("more was written than the answer's length")
	errStatus  = errors.New("not the status of a final answer")
)

// Start implements wire.Sink. It leaves out the headers that belong to the connection,
// and adds only Date and the framing.
func (x *Exchange) Start(status int, header http.Header, length int64) error {
	switch {
	case x.broken:
		return errAborted
	case x.began || x.hijacked:
		return errStarted
	case status < 200 || status > 999:
		return errStatus
	case x.std != nil:
		return x.std.start(status, header, length)
	}
	x.rest()
	x.began = true
	x.mute = x.Method == http.MethodHead || bodiless(status)
	switch {
	case bodiless(status):
		length = -1
	case length >= 0:
		x.framing, x.left = sized, length
	case x.minor >= 1:
		x.framing = chunked
	default:
		x.framing, x.keep = closing, x.keep && x.mute
	}
	if x.conn.server.ending.Load() || hasToken(header["Connection"], "close") {
		x.keep = false
	}
	o := &x.conn.out
	o.appendStatus(min(x.minor, 1), status)
	for name, values := range header {
		if ownField(name) || !validName(name) || status == http.StatusNotModified && name == "Content-Type" {
			continue
		}
		for _, v := range values {
			o.appendField(name, clean(v))
		}
	}
	if header["Date"] == nil {
		o.appendField("Date", now())
	}
	x.appendFraming(o, length)
	return o.err
}

// appendFraming writes the fields that say how the answer ends, and ends the header.
func (x *Exchange) appendFraming(o *output, length int64) {
	switch {
	case length >= 0:
		o.appendLength(length)
	case x.framing == chunked && !x.mute:
		o.appendString("Transfer-Encoding: chunked\r\n")
	}
	switch {
	case !x.keep && x.minor >= 1:
		o.appendString("Connection: close\r\n")
	case x.keep && x.minor == 0:
		o.appendString("Connection: keep-alive\r\n")
	}
	o.appendString("\r\n")
}

// ownField reports whether a header is written by the engine and not by the handler.
func ownField(name string) bool {
	switch name {
	case "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection", "Trailer", "Upgrade":
		return true
	}
	return false
}

// clean returns a header's value without control characters: a line end would end the
// field, and proxies refuse answers with other control characters.
func clean(v string) string {
	if !validValue(v) {
		b := []byte(v)
		for i, c := range b {
			if classes[c]&control != 0 {
				b[i] = ' '
			}
		}
		v = string(b)
	}
	return trimmed(v)
}

// rest reads what the handler has left of a small body. The connection can then be used
// again, and a client that sends everything before it reads does not hang.
func (x *Exchange) rest() {
	switch {
	case x.body.whole() || !x.keep:
	case x.expects, x.body.err != nil, x.body.framing == sized && x.body.left > maxRest:
		x.keep = false
	default:
		b := takeBuffer()
		for n, most := 0, maxRest; most >= 0 && x.body.err == nil; most -= n {
			n, _ = x.body.Read(b) // the body keeps its error
		}
		giveBuffer(b)
		if x.keep = x.body.whole(); x.keep {
			x.conn.received()
		}
	}
}

// Write implements wire.Sink.
func (x *Exchange) Write(p []byte) error {
	switch {
	case x.broken:
		return errAborted
	case !x.began:
		if err := x.Start(http.StatusOK, nil, -1); err != nil {
			return err
		}
	}
	if x.std != nil {
		return x.std.write(p)
	}
	o := &x.conn.out
	switch {
	case len(p) == 0 || x.mute:
		return o.err
	case x.framing == chunked:
		return x.chunk(p)
	case x.framing == sized:
		if x.left -= int64(len(p)); x.left < 0 {
			x.Abort()
			return errLength
		}
	}
	return o.append(p)
}

// chunk writes p as one chunk.
func (x *Exchange) chunk(p []byte) error {
	o := &x.conn.out
	o.buf = append(strconv.AppendInt(o.room(), int64(len(p)), 16), "\r\n"...)
	if len(o.buf)+len(p)+len(lineEnd) > bufferSize {
		return o.flushWith(p, lineEnd)
	}
	o.buf = append(append(o.buf, p...), lineEnd...)
	return o.err
}

// Flush implements wire.Sink.
func (x *Exchange) Flush() error {
	if x.broken || x.hijacked {
		return nil
	}
	if x.std != nil {
		return x.std.flush()
	}
	return x.conn.out.flush()
}

// Abort implements wire.Sink.
func (x *Exchange) Abort() { x.broken = true }

// End sends the end of the answer. The engine calls it when the handler returns. A
// handler that has more work to do afterwards calls it itself.
func (x *Exchange) End() error {
	if x.std != nil {
		return x.std.end()
	}
	o := &x.conn.out
	if x.ended || x.hijacked {
		return o.err
	}
	x.ended = true
	if !x.began && !x.broken {
		if err := x.Start(http.StatusOK, nil, 0); err != nil {
			return err
		}
	}
	switch {
	case x.broken || x.mute:
	case x.framing == chunked:
		o.appendString("0\r\n\r\n")
	case x.framing == sized && x.left > 0:
		x.broken = true // the answer must not look complete
	}
	return o.flush()
}

// finish ends the exchange. It reports whether the connection can be used again.
func (x *Exchange) finish() bool {
	err := x.End()
	if x.broken || err != nil {
		return false
	}
	x.rest()
	if !x.keep && !x.body.whole() {
		x.conn.linger()
	}
	return x.keep
}
