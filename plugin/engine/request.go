package engine

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// badRequest is the error for a request that is refused before a handler sees it.
type badRequest struct {
	status int
	reason string // for the client; it does not quote the request
}

func (e *badRequest) Error() string { return e.reason }

// text returns the body of the answer.
func (e *badRequest) text() string {
	text := strconv.Itoa(e.status) + " " + http.StatusText(e.status)
	if e.reason != "" {
		text += ": " + e.reason
	}
	return text
}

func bad(reason string) error { return &badRequest{http.StatusBadRequest, reason} }

// parseRequest makes an exchange from a request's head. It refuses what net/http refuses,
// and also what another server could read differently: a length beside chunks, a
// repeated length, chunks in HTTP/1.0, folded fields.
func (x *Exchange) parseRequest(head string) error {
	line, rest := cutLine(head)
	method, line, ok := strings.Cut(line, " ")
	target, version, ok2 := strings.Cut(line, " ")
	if !ok || !ok2 || method == "" || !all(method, token) {
		return bad("malformed request line")
	}
	switch {
	case version == "HTTP/1.1":
		x.minor = 1
	case version == "HTTP/1.0":
	case len(version) == 8 && strings.HasPrefix(version, "HTTP/") && version[6] == '.' && digit(version[5]) && digit(version[7]):
		if version[5] != '1' {
			return &badRequest{http.StatusHTTPVersionNotSupported, "unsupported protocol version"}
		}
		x.minor = 1 // a later HTTP/1 is answered as HTTP/1.1 (RFC 9110 §2.5)
	default:
		return bad("malformed HTTP version")
	}
	if method == http.MethodConnect {
		return errConnect
	}
	x.Method, x.Target = method, target
	var err error
	if x.Header, err = parseFields(rest); err != nil {
		return bad(err.Error())
	}
	if err := x.parseTarget(); err != nil {
		return err
	}
	return x.frame()
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// parseTarget reads the request's target, and finds the host.
func (x *Exchange) parseTarget() error {
	hosts := x.Header["Host"]
	switch {
	case len(hosts) > 1:
		return bad("too many Host headers")
	case len(hosts) == 1:
		if !all(hosts[0], host) {
			return bad("malformed Host header")
		}
		x.Host = hosts[0]
		delete(x.Header, "Host")
	case x.minor >= 1:
		return bad("missing required Host header")
	}
	return x.splitTarget()
}

// splitTarget splits the request's target into path and query.
func (x *Exchange) splitTarget() error {
	path, query, _ := strings.Cut(x.Target, "?")
	if path != "" && path[0] == '/' && all(path, simple) && printable(query) {
		x.Path, x.RawQuery = path, query
		return nil
	}
	u, err := url.ParseRequestURI(x.Target)
	if err != nil {
		return bad("malformed request target")
	}
	x.Path, x.RawQuery = u.EscapedPath(), u.RawQuery
	if u.Host != "" {
		x.Host = u.Host // the Host header is ignored: RFC 9112 §3.2.2
	}
	return nil
}

// printable reports whether s has neither spaces nor control characters.
func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

var errConnect = &badRequest{http.StatusNotImplemented, "CONNECT is not supported: this is no proxy to other hosts"}

var errUnsupported = &badRequest{http.StatusNotImplemented, "unsupported transfer encoding"}

// frame determines how the body ends and whether the connection can be used again.
func (x *Exchange) frame() error {
	h := x.Header
	b := &x.body
	lengths, encodings := h["Content-Length"], h["Transfer-Encoding"]
	switch {
	case len(encodings) > 0 && len(lengths) > 0:
		return bad("both Content-Length and Transfer-Encoding")
	case len(encodings) > 0 && x.minor == 0:
		return bad("Transfer-Encoding in HTTP/1.0")
	case len(encodings) > 1 || len(encodings) == 1 && !strings.EqualFold(encodings[0], "chunked"):
		return errUnsupported
	case len(encodings) == 1:
		delete(h, "Transfer-Encoding")
		if err := checkTrailer(h); err != nil {
			return bad(err.Error())
		}
		b.framing, x.ContentLength = chunked, -1
	case len(lengths) > 0:
		n, ok := contentLength(lengths)
		if !ok {
			return bad("malformed Content-Length")
		}
		if x.ContentLength = n; n > 0 {
			b.framing, b.left = sized, n
		}
	}
	connection := h["Connection"]
	if x.minor == 0 {
		x.keep = hasToken(connection, "keep-alive") && !hasToken(connection, "close")
	} else {
		x.keep = connection == nil || !hasToken(connection, "close")
	}
	expect, ok := h["Expect"]
	switch {
	case !ok:
	case !hasToken(expect[:1], "100-continue"):
		if expect[0] != "" {
			return &badRequest{http.StatusExpectationFailed, "expectation failed"}
		}
	case x.minor >= 1 && b.framing != empty:
		x.expects = true
	}
	return nil
}

// checkTrailer refuses a Trailer header that names fields of the framing, as net/http
// does. It removes the header from h, as it is hop-by-hop.
func checkTrailer(h http.Header) error {
	values, ok := h["Trailer"]
	if !ok {
		return nil
	}
	for _, name := range []string{"Transfer-Encoding", "Trailer", "Content-Length"} {
		if hasToken(values, name) {
			return errors.New("bad trailer key")
		}
	}
	delete(h, "Trailer")
	return nil
}
