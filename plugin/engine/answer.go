package engine

import (
	"errors"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"go-ai-proxy/plugin/wire"
)

// answer is a provider's answer while its body is read.
type answer struct {
	wire.Answer
	conn *clientConn // nil when it is given back
	hold holding
	body body
	keep bool // the provider goes on after this answer
}

// receive reads the head of the final answer.
func (c *clientConn) receive(method string) (*answer, error) {
	for range maxInterim {
		head, err := c.in.head(maxAnswerHead)
		if err != nil {
			if c.in.buffered() == 0 {
				return nil, &errUnanswered{cause: err}
			}
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		status, minor, rest, err := parseStatus(head)
		if err != nil {
			return nil, err
		}
		header, err := parseFields(rest)
		if err != nil {
			return nil, err
		}
		if status < 200 && status != http.StatusSwitchingProtocols {
			continue
		}
		a := &answer{conn: c}
		a.Status, a.Header, a.Peer = status, header, c.peer
		a.Body = (*answerBody)(a)
		a.body.src = &c.in
		return a, a.frame(method, minor)
	}
	return nil, errInterim
}

var errInterim = errors.New("too many interim answers")

// parseStatus reads a status line and returns what follows it.
func parseStatus(head string) (status, minor int, rest string, err error) {
	line, rest := cutLine(head)
	version, line, ok := strings.Cut(line, " ")
	if !ok || len(version) != 8 || !strings.HasPrefix(version, "HTTP/1.") || !digit(version[7]) {
		return 0, 0, "", errors.New("malformed HTTP response")
	}
	code, _, _ := strings.Cut(strings.TrimLeft(line, " "), " ")
	if len(code) != 3 || code[0] < '1' || code[0] > '9' || !digit(code[1]) || !digit(code[2]) {
		return 0, 0, "", errors.New("malformed HTTP status code")
	}
	status = int(code[0]-'0')*100 + int(code[1]-'0')*10 + int(code[2]-'0')
	return status, int(version[7] - '0'), rest, nil
}

// frame determines how the body ends (RFC 9112 §6.3) and whether the connection can
// be used again. It accepts what net/http accepts, since not all providers are
// strict.
func (a *answer) frame(method string, minor int) error {
	h := a.Header
	b := &a.body
	if a.Status == http.StatusSwitchingProtocols {
		return errors.New("the provider switched protocols unasked")
	}
	connection := h["Connection"]
	a.keep = connection == nil && minor >= 1
	if connection != nil {
		over := hasToken(connection, "close")
		a.keep = !over && (minor >= 1 || hasToken(connection, "keep-alive"))
		if over && minor >= 1 {
			delete(h, "Connection")
		}
	}
	isChunked := false
	if encodings, ok := h["Transfer-Encoding"]; ok {
		delete(h, "Transfer-Encoding")
		switch {
		case minor == 0: // unknown there: RFC 9112 §6.1 has the connection closed
			a.keep = false
		case len(encodings) != 1 || !strings.EqualFold(encodings[0], "chunked"):
			return errors.New("unsupported transfer encoding")
		default:
			isChunked = true
		}
	}
	length, err := answerLength(h)
	if err != nil {
		return err
	}
	if isChunked {
		if err := checkTrailer(h); err != nil {
			return err
		}
	}
	switch {
	case method == http.MethodHead || bodiless(a.Status):
	case isChunked:
		b.framing = chunked
		if length >= 0 {
			delete(h, "Content-Length")
			a.keep = false
		}
	case length >= 0:
		if length > 0 {
			b.framing, b.left = sized, length
		}
	default:
		b.framing, a.keep = closing, false
	}
	return nil
}

// answerLength returns the Content-Length, or -1 if there is none. Several equal ones
// count as one.
func answerLength(h http.Header) (int64, error) {
	values, ok := h["Content-Length"]
	if !ok {
		return -1, nil
	}
	for _, v := range values[1:] {
		if v != values[0] {
			return 0, errors.New("several different Content-Length headers")
		}
	}
	n, ok := contentLength(values[:1])
	if !ok {
		return 0, errors.New("malformed Content-Length")
	}
	if len(values) > 1 {
		h["Content-Length"] = values[:1]
	}
	return n, nil
}

// answerBody is the body as the relay reads it.
type answerBody answer

var errBodyClosed = errors.New("read of a closed body")

// Read implements io.Reader. With the body's end the connection goes back to
// the pool.
func (b *answerBody) Read(p []byte) (int, error) {
	a := (*answer)(b)
	if a.conn == nil {
		if a.body.whole() {
			return 0, io.EOF
		}
		return 0, errBodyClosed
	}
	n, err := a.body.Read(p)
	switch {
	case err == io.EOF:
		a.settle()
	case err != nil:
		err = &wire.TransportError{Phase: wire.Reading, Timeout: isTimeout(err), Err: err}
	}
	return n, err
}

// Wait implements frame.Waiter.
func (b *answerBody) Wait() {
	if b.conn != nil && b.body.err == nil {
		b.conn.in.await()
	}
}

// Close implements io.Closer. A connection is kept if the whole answer except for its
// end mark has arrived.
func (b *answerBody) Close() error {
	a := (*answer)(b)
	if a.conn == nil {
		return nil
	}
	if a.body.framing == chunked && a.body.err == nil && a.keep && !a.conn.spoilt && a.body.part != inData {
		if a.body.lineCame() {
			a.mark()
		} else if a.hold.let() {
			a.hold = holding{}
			go a.awaitMark()
			return nil
		}
	}
	a.settle()
	return nil
}

// endMark is how long a provider has to send the end mark of an answer whose
// last event has come.
const endMark = 250 * time.Millisecond

// awaitMark reads the end mark after the relay has finished with the answer.
func (a *answer) awaitMark() {
	defer func() {
		if p := recover(); p != nil { // there is nobody left to tell
			a.conn.close()
			debug.PrintStack()
		}
	}()
	a.conn.in.wait = endMark
	a.mark()
	a.settle()
}

// mark reads on; anything but the end mark means that the answer goes on.
func (a *answer) mark() {
	var one [1]byte
	if n, _ := a.body.Read(one[:]); n > 0 {
		a.body.err = errBodyClosed
	}
}

// settle returns the connection to the pool, or closes it if the body has not arrived
// whole.
func (a *answer) settle() {
	c := a.conn
	a.conn = nil
	open := a.hold.let()
	if open && a.keep && !c.spoilt && a.body.whole() && c.over() {
		c.client.pool.put(c)
		return
	}
	c.close()
}
