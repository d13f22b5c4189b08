package engine

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/translators/conformance/workload"
)

// told is what a handler saw of a request, as its answer's body.
func told(method, path, query, host string, h http.Header, length int64, body []byte, err error) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s?%s host=%q length=%d body=%q failed=%v\n", method, path, query, host, length, body, err != nil)
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "%s: %q\n", name, h[name])
	}
	return b.Bytes()
}

// answerFor is how both servers' handlers answer: the query says what to vary.
func answerFor(query string, body []byte) (status int, h http.Header, length int64) {
	status, length = 200, int64(len(body))
	h = http.Header{"Content-Type": {"text/plain"}, "X-Handled": {"yes"}, "X-Two": {"a", "b"}}
	for p := range strings.SplitSeq(query, "&") {
		switch p {
		case "chunked":
			length = -1
		case "204":
			status, length = 204, -1
		case "304":
			status, length = 304, -1
		case "404":
			status = 404
		case "close":
			h["Connection"] = []string{"close"}
		}
	}
	return status, h, length
}

func engineHandler(x *Exchange) {
	var body []byte
	var err error
	if b := x.Body(); b != nil && !strings.Contains(x.RawQuery, "unread") {
		body, err = io.ReadAll(b)
	}
	text := told(x.Method, x.Path, x.RawQuery, x.Host, x.Header, x.ContentLength, body, err)
	status, h, length := answerFor(x.RawQuery, text)
	if err != nil {
		h["X-Error"] = []string{err.Error()}
	}
	if x.Start(status, h, length) == nil && x.Write(text) == nil {
		_ = x.Flush()
	}
}

func standardHandler(w http.ResponseWriter, r *http.Request) {
	var body []byte
	var err error
	if !strings.Contains(r.URL.RawQuery, "unread") {
		body, err = io.ReadAll(r.Body)
	}
	text := told(r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Host, r.Header, r.ContentLength, body, err)
	status, h, length := answerFor(r.URL.RawQuery, text)
	for k, v := range h {
		w.Header()[k] = v
	}
	if length >= 0 {
		w.Header().Set("Content-Length", fmt.Sprint(length))
	}
	w.WriteHeader(status)
	_, _ = w.Write(text)
	_ = http.NewResponseController(w).Flush()
}

// both starts the two servers.
func both(t testing.TB) (ours, theirs string) {
	dir, err := os.MkdirTemp("", "engine") // t.TempDir may be too long for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	listen := func(name string) net.Listener { // a fuzzer would use up all TCP ports
		l, err := net.Listen("unix", filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l := listen("ours")
	s := &Server{Handler: HandlerFunc(engineHandler), Log: zerolog.Nop(), LingerTimeout: 50 * time.Millisecond, MaxHead: 64 << 10}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	l2 := listen("theirs")
	std := &http.Server{Handler: http.HandlerFunc(standardHandler), MaxHeaderBytes: 60 << 10, DisableGeneralOptionsHandler: true, ErrorLog: quietLog()}
	go std.Serve(l2)
	t.Cleanup(func() { std.Close() })
	return l.Addr().String(), l2.Addr().String()
}

// seen is one answer, without what may differ.
type seen struct {
	status int
	header http.Header
	body   string
	cut    bool
}

// say sends raw, ends its side and returns all answers.
func say(t testing.TB, addr string, raw []byte) []seen {
	t.Helper()
	conn, err := net.Dial("unix", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	go func() {
		_, _ = conn.Write(raw) // the server may not want all of it
		_ = conn.(*net.UnixConn).CloseWrite()
	}()
	all, err := io.ReadAll(conn)
	if err != nil && isTimeout(err) {
		t.Fatalf("%q: no end: %v after %q", raw, err, all)
	}
	return answers(t, all, methods(raw))
}

// methods guesses the methods of pipelined requests, for the sake of HEAD.
func methods(raw []byte) []string {
	var list []string
	for _, line := range strings.Split(string(raw), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if method, rest, ok := strings.Cut(line, " "); ok && strings.Contains(rest, " HTTP/1.") {
			list = append(list, method)
		}
	}
	return list
}

func answers(t testing.TB, all []byte, methods []string) (list []seen) {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(all))
	for i := 0; ; {
		if _, err := r.Peek(1); err != nil {
			return list
		}
		req := &http.Request{Method: "GET"}
		if i < len(methods) {
			req.Method = methods[i]
		}
		resp, err := http.ReadResponse(r, req)
		if err != nil {
			return append(list, seen{status: -1})
		}
		body, err := io.ReadAll(resp.Body)
		if resp.StatusCode >= 200 {
			i++
		}
		resp.Header.Del("Date")
		if resp.Close { // ReadResponse takes the header away
			resp.Header.Set("Connection", "close")
		}
		list = append(list, seen{resp.StatusCode, resp.Header, string(body), err != nil})
	}
}

// refused says that the server answered itself.
func (s *seen) refused() bool { return s.header["X-Handled"] == nil && s.status >= 400 }

// failed says that the handler could not read the request's body.
func (s *seen) failed() bool { return strings.Contains(s.body, " failed=true\n") }

// stricter are the refusals that net/http does not make, and why we do.
var stricter = map[string]string{
	"folded header field":                       "RFC 9112 §5.2: deprecated, and joined differently by different servers",
	"both Content-Length and Transfer-Encoding": "RFC 9112 §6.1: a smuggling attempt; net/http drops the length",
	"Transfer-Encoding in HTTP/1.0":             "RFC 9112 §6.1: framing faulty; net/http ignores the field",
	"malformed Content-Length":                  "a repeated length, even the same: RFC 9110 §8.6 allows to refuse; net/http joins them",
	"expectation failed":                        "net/http finds 100-continue anywhere in the field; it is a list",
	"unsupported protocol version":              "HTTP/2's preface: net/http leaves it to the handler",
	"too many header fields":                    "1000 fields; net/http has a limit of memory only",
	errConnect.reason:                           "a proxy's method, whose answers have no body; net/http leaves it to the handler",
	"malformed header field":                    "white space alone before a colon, which net/http's reader takes for a fold",
	"431 Request Header Fields Too Large":       "the limit is the head's, not the read buffer's",
}

// loose is a Connection field that is no list of tokens.
var loose = regexp.MustCompile(`(?i)connection:[^\r\n]*[^\s:,][^\w,\r\n-][^\r\n]*(close|keep-alive)|connection:[^\r\n]*(close|keep-alive)[^\w,\r\n-]`)

// repeated says that Connection came twice: net/http looks for keep-alive in the first only,
// but RFC 9110 §5.3 makes them one list.
var repeated = regexp.MustCompile(`(?is)\nconnection:.*\nconnection:`)

// normal is what both servers should agree on.
func (s *seen) normal() string {
	if s.refused() {
		return fmt.Sprintf("refused %d", s.status)
	}
	return fmt.Sprintf("%d %v %q cut=%v", s.status, s.header, s.body, s.cut)
}

// compare has both servers answer raw and reports where they differ.
func compare(t testing.TB, ours, theirs string, raw []byte) {
	t.Helper()
	a, b := say(t, ours, raw), say(t, theirs, raw)
	for i := range max(len(a), len(b)) {
		switch {
		case i < len(a) && i < len(b) && a[i].normal() == b[i].normal():
			continue
		case i < len(a) && i < len(b) && a[i].failed() && (b[i].failed() || a[i].header.Get("X-Error") == errTrailer.Error()):
			return // how much of a broken body is read, and what the connection is good for then, is nobody's concern
		case loose.Match(raw):
			return // net/http finds a token anywhere in Connection; it is a list
		case repeated.Match(raw):
			return
		case i < len(a) && a[i].refused():
			_, reason, _ := strings.Cut(a[i].body, ": ")
			if reason == "" {
				reason = a[i].body
			}
			if get := bytes.ReplaceAll(raw, []byte("HEAD "), []byte("GET ")); reason == "" && !bytes.Equal(get, raw) {
				compare(t, ours, theirs, get) // whose refusal has a reason
				return
			}
			if i < len(b) && b[i].refused() || i == len(b) { // the same in other words, or without any
				return
			}
			if stricter[reason] != "" {
				return
			}
		}
		text := func(list []seen) string {
			if i >= len(list) {
				return "nothing"
			}
			return list[i].normal()
		}
		t.Errorf("answer %d to %q differs:\n ours   %s\n theirs %s", i, short(raw), text(a), text(b))
		return
	}
}

// requests is the corpus: well-formed messages, and the known ways of saying
// something ambiguous.
var requests = []string{
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /a/b%2fc?x=1&y=%20 HTTP/1.1\r\nHost: a.b:80\r\nAccept: */*\r\n\r\n",
	"GET /ä HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /a\"b<c> HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET //double//slash HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /a#b?c HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET http://other/path?q HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET http://other HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
	"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
	"CONNECT /rpc HTTP/1.1\r\n\r\n",
	"GET / HTTP/1.0\r\n\r\n",
	"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /2 HTTP/1.0\r\n\r\n",
	"GET /?chunked HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /2 HTTP/1.0\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /3 HTTP/1.1\r\nHost: a\r\n\r\nGET /4?chunked HTTP/1.1\r\nHost: a\r\n\r\n",
	"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD /?chunked HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /?204 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /?304 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /?404 HTTP/1.1\r\nHost: a\r\n\r\n", "GET /?close HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nhello",
	"POST /?unread HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST /?unread HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;ext=\"1\"\r\n world\r\n0\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\nTrailer: X-T\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nfoo\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhelloGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST /?unread HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\nContent-Length: 0\r\n\r\n",
	"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
	"GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\r\n", "GE",
	"GET / HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nX-Obs: \xff\xfe\r\nX-Tab: a\tb\r\nx-lower: 1\r\nX-LOWER: 2\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX:   padded \t \r\n\r\n",
	// What is malformed.
	"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
	" GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /\r\nHost: a\r\n\r\n", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET / HTTP/1.2\r\nHost: a\r\n\r\n", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "GET / HTTP/0.9\r\n\r\n", "GET / HTTP/11\r\nHost: a\r\n\r\n", "GET / http/1.1\r\nHost: a\r\n\r\n",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "GET / HTTP/1.1\r\nHost:\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX Y: 1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\r\n\r\n", "GET / HTTP/1.1\r\n X: 1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\t\r\n\r\n",
	// The smuggling corpus: lengths.
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nhello", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5 5\r\n\r\nhello", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nhello",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5_0\r\n\r\nhello", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\nhello",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \t5\t\r\n\r\nhello", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 00005\r\n\r\nhello",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length\r\n: 5\r\n\r\nhello",
	"POST / HTTP/1.1\r\nHost: a\r\nContent_Length: 5\r\n\r\nhello", "POST / HTTP/1.1\r\nHost: a\r\nX: 1\nContent-Length: 5\r\n\r\nhello",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n 0\r\n\r\nhello", "POST / HTTP/1.1\r\nHost: a\r\nX: y\rContent-Length: 5\r\n\r\nhello",
	// Codings.
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chun\r\n ked\r\n\r\n0\r\n\r\n", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello", "POST / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\xa0\r\n\r\n0\r\n\r\n",
	// Chunks.
	chunkedRequest("5 \r\nhello\r\n0\r\n\r\n"), chunkedRequest("5\nhello\r\n0\r\n\r\n"), chunkedRequest("5\r\nhello\n0\r\n\r\n"),
	chunkedRequest("5\r\nhelloXX0\r\n\r\n"), chunkedRequest("5\r\nhello0\r\n\r\n"), chunkedRequest("0x5\r\nhello\r\n0\r\n\r\n"),
	chunkedRequest("-5\r\nhello\r\n0\r\n\r\n"), chunkedRequest("+5\r\nhello\r\n0\r\n\r\n"), chunkedRequest("\r\nhello\r\n0\r\n\r\n"),
	chunkedRequest(" 5\r\nhello\r\n0\r\n\r\n"), chunkedRequest("5;\r\nhello\r\n0\r\n\r\n"), chunkedRequest("5 ;x\r\nhello\r\n0\r\n\r\n"),
	chunkedRequest("5;a\rb\r\nhello\r\n0\r\n\r\n"), chunkedRequest("5;a\nb\r\nhello\r\n0\r\n\r\n"), chunkedRequest("05\r\nhello\r\n00\r\n\r\n"),
	chunkedRequest("10000000000000005\r\nhello\r\n0\r\n\r\n"), chunkedRequest("FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n"), chunkedRequest("7fffffffffffffff\r\nhello"), chunkedRequest("1\r\na\r\n7fffffffffffffff\r\nhello"), chunkedRequest("1\r\na\r\n4000000000000000\r\nhello"),
	chunkedRequest("5\r\nhello\r\n"), chunkedRequest("5\r\nhello\r\n0\r\n"), chunkedRequest("5\r\nhello\r\n0"), chunkedRequest("5\r\nhel"), chunkedRequest("5_0\r\nhello\r\n0\r\n\r\n"),
	chunkedRequest("0\r\nA: 1\r\n B\r\n\r\n"), chunkedRequest("0\r\nA : 1\r\n\r\n"), chunkedRequest("0\r\nA: \x00\r\n\r\n"), chunkedRequest("0\r\nContent-Length: 7\r\n\r\n"),
	chunkedRequest(strings.Repeat("1;"+strings.Repeat("x", 2000)+"\r\na\r\n", 20) + "0\r\n\r\n"), chunkedRequest("1;" + strings.Repeat("x", 5000) + "\r\na\r\n0\r\n\r\n"),
	chunkedRequest(strings.Repeat("1\r\na\r\n", 3000) + "0\r\n\r\n"), chunkedRequest("4000\r\n" + strings.Repeat("b", 0x4000) + "\r\n3\r\nend\r\n0\r\n\r\n"),
}

func chunkedRequest(body string) string {
	return "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
}

func TestTheServerAgreesWithTheStandardLibrary(t *testing.T) {
	ours, theirs := both(t)
	for _, raw := range requests {
		compare(t, ours, theirs, []byte(raw))
	}
	for _, n := range []int{10 << 10, 60 << 10, 80 << 10} { // the last is above both limits
		compare(t, ours, theirs, []byte("GET / HTTP/1.1\r\nHost: a\r\nX: "+strings.Repeat("v", n)+"\r\n\r\n"))
	}
	compare(t, ours, theirs, []byte("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n"+strings.Repeat("b", 300000)+"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"))
}

func FuzzServerAgreesWithTheStandardLibrary(f *testing.F) {
	for _, raw := range requests {
		f.Add([]byte(raw))
	}
	ours, theirs := both(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		defer workload.Linear(t, len(raw))()
		if len(raw) > 50<<10 {
			return
		}
		compare(t, ours, theirs, raw)
	})
}

func short(b []byte) []byte { return b[:min(len(b), 500)] }
