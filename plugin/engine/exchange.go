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
	Host          string      // of Target or, usually, of the Host header, which is not in Header
	Header        http.Header // the handler may change it
	ContentLength int64       // of the body in bytes, -1 when unknown
	RemoteAddr    string      // "ip:port"

	// What every write looks at comes first: it lies side by side.
	conn    *serverConn
	began   bool    // Start was called
	framing framing // of the answer
	mute    bool    // the answer has no body
	broken  bool    // Abort was called
	ended   bool    // End was called
	keep    bool    // the client wants to go on after this request
	expects bool    // the client waits for 100 before it sends its body
	left    int64   // bytes that a sized answer still owes
	minor   int     // of the client's HTTP version
	life    lifetime
	body    body

	upgraded bool // guarded by the connection: hanging up is not the engine's to see
	hijacked bool

	std *stdExchange // instead of conn, where net/http serves the client
}

// maxRest is how much of a request's body is read for the sake of the
// connection when the handler did not want it, in bytes.
const maxRest = 256 << 10

// Context ends when the client is gone, and when the request is answered.
func (x *Exchange) Context() context.Context { return &x.life }

// Body is the request's, nil when it has none.
func (x *Exchange) Body() io.Reader {
	switch {
	case x.body.framing == empty:
		return nil
	case x.std != nil:
		return readerFunc(x.std.read)
	}
	return (*requestBody)(x)
}

// requestBody asks the client for its body when it waits to be asked.
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
	errStatus  = errors.New("no status of a final answer")
)

// Start implements wire.Sink. Of header it leaves out what belongs to the
// connection; nothing else is added but Date.
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

// appendFraming ends the header with what says how the answer ends.
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

// ownField says that a header is not the handler's.
func ownField(name string) bool {
	switch name {
	case "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection", "Trailer", "Upgrade":
		return true
	}
	return false
}

// clean is a header's value without what cannot stand in one: a line end would
// end it, and proxies refuse answers with other control characters.
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

// rest reads what the handler left of a small body, so that the connection can
// go on and a client that sends all before it reads is not left hanging.
func (x *Exchange) rest() {
	switch {
	case x.body.whole() || !x.keep:
	case x.expects, x.body.err != nil, x.body.framing == sized && x.body.left > maxRest:
		x.keep = false
	default:
		b := takeBuffer()
		for n, most := 0, maxRest; most >= 0 && x.body.err == nil; most -= n {
			n, _ = x.body.Read(b) // its error stays with it
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

// End sends the end of the answer. The engine calls it when the handler returns; a
// handler that does more work afterwards calls it itself.
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
		x.broken = true // what came must not look complete
	}
	return o.flush()
}

// finish ends the exchange; true: the connection can take another.
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
