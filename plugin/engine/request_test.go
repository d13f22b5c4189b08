package engine

import (
	"errors"
	"net/http"
	"testing"
)

func TestHowARequestIsRead(t *testing.T) {
	const host = "Host: a\r\n"
	for _, c := range []*struct {
		head string
		want Exchange // of its target and framing
	}{
		{"GET /p?q=1 HTTP/1.1\r\n" + host, Exchange{Method: "GET", Path: "/p", RawQuery: "q=1", Host: "a", minor: 1, keep: true}},
		{"GET /p%2f HTTP/1.1\r\n" + host, Exchange{Method: "GET", Path: "/p%2f", Host: "a", minor: 1, keep: true}},
		{"GET /p HTTP/1.7\r\n" + host, Exchange{Method: "GET", Path: "/p", Host: "a", minor: 1, keep: true}},
		{"GET /p HTTP/1.0\r\n", Exchange{Method: "GET", Path: "/p"}},
		{"GET /p HTTP/1.0\r\n" + host, Exchange{Method: "GET", Path: "/p", Host: "a"}},
		{"GET http://b:1/p?q HTTP/1.1\r\n" + host, Exchange{Method: "GET", Path: "/p", RawQuery: "q", Host: "b:1", minor: 1, keep: true}},
		{"OPTIONS * HTTP/1.1\r\n" + host, Exchange{Method: "OPTIONS", Path: "*", Host: "a", minor: 1, keep: true}},
		{"POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\n", Exchange{Method: "POST", Path: "/", Host: "a", minor: 1, keep: true, ContentLength: 5, body: body{framing: sized, left: 5}}},
		{"POST / HTTP/1.1\r\n" + host + "Content-Length: 0\r\n", Exchange{Method: "POST", Path: "/", Host: "a", minor: 1, keep: true}},
		{"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: Chunked\r\n", Exchange{Method: "POST", Path: "/", Host: "a", minor: 1, keep: true, ContentLength: -1, body: body{framing: chunked}}},
		{"POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nExpect: 100-Continue\r\n", Exchange{Method: "POST", Path: "/", Host: "a", minor: 1, keep: true, ContentLength: 5, expects: true, body: body{framing: sized, left: 5}}},
		{"POST / HTTP/1.1\r\n" + host + "Content-Length: 0\r\nExpect: 100-continue\r\n", Exchange{Method: "POST", Path: "/", Host: "a", minor: 1, keep: true}},
		{"POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nExpect:\r\n", Exchange{Method: "POST", Path: "/", Host: "a", minor: 1, keep: true, ContentLength: 1, body: body{framing: sized, left: 1}}},
		{"POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n", Exchange{Method: "POST", Path: "/", ContentLength: 1, body: body{framing: sized, left: 1}}},
	} {
		x := &Exchange{}
		err := x.parseRequest(c.head + "\r\n")
		w := &c.want
		if err != nil || x.Method != w.Method || x.Path != w.Path || x.RawQuery != w.RawQuery || x.Host != w.Host || x.minor != w.minor || x.keep != w.keep ||
			x.ContentLength != w.ContentLength || x.expects != w.expects || x.body != w.body || x.Header["Host"] != nil || x.Header["Transfer-Encoding"] != nil {
			t.Errorf("%q: %+v, %v", c.head, x, err)
		}
	}
}

func TestWhyARequestIsRefused(t *testing.T) {
	const host = "Host: a\r\n"
	for head, want := range map[string]string{
		"":                                  "400 Bad Request: malformed request line",
		"GET\r\n":                           "400 Bad Request: malformed request line",
		"GET /\r\n" + host:                  "400 Bad Request: malformed request line",
		" / HTTP/1.1\r\n" + host:            "400 Bad Request: malformed request line",
		"G(T / HTTP/1.1\r\n" + host:         "400 Bad Request: malformed request line",
		"GET / HTTP/2.0\r\n" + host:         "505 HTTP Version Not Supported: unsupported protocol version",
		"GET / HTTP/0.9\r\n" + host:         "505 HTTP Version Not Supported: unsupported protocol version",
		"GET / HTTP/1.x\r\n" + host:         "400 Bad Request: malformed HTTP version",
		"GET / HTTP/x.1\r\n" + host:         "400 Bad Request: malformed HTTP version",
		"GET / HTTP/1,1\r\n" + host:         "400 Bad Request: malformed HTTP version",
		"GET / HTTP/1.10\r\n" + host:        "400 Bad Request: malformed HTTP version",
		"GET / http/1.1\r\n" + host:         "400 Bad Request: malformed HTTP version",
		"CONNECT a:1 HTTP/1.1\r\n" + host:   "501 Not Implemented: " + errConnect.reason,
		"GET / HTTP/1.1\r\n":                "400 Bad Request: missing required Host header",
		"GET / HTTP/1.1\r\n" + host + host:  "400 Bad Request: too many Host headers",
		"GET / HTTP/1.1\r\nHost: a/b\r\n":   "400 Bad Request: malformed Host header",
		"GET a HTTP/1.1\r\n" + host:         "400 Bad Request: malformed request target",
		"GET  HTTP/1.1\r\n" + host:          "400 Bad Request: malformed request target",
		"GET /%x HTTP/1.1\r\n" + host:       "400 Bad Request: malformed request target",
		"GET / HTTP/1.1\r\n" + host + "A\n": "400 Bad Request: malformed header field",

		"POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n":        "400 Bad Request: both Content-Length and Transfer-Encoding",
		"POST / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n":                             "400 Bad Request: Transfer-Encoding in HTTP/1.0",
		"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip\r\n":                                "501 Not Implemented: unsupported transfer encoding",
		"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\n": "501 Not Implemented: unsupported transfer encoding",
		"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTrailer: content-length\r\n":  "400 Bad Request: bad trailer key",
		"POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nContent-Length: 5\r\n":                 "400 Bad Request: malformed Content-Length",
		"POST / HTTP/1.1\r\n" + host + "Content-Length: x\r\n":                                      "400 Bad Request: malformed Content-Length",
		"POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nExpect: magic\r\n":                     "417 Expectation Failed: expectation failed",
	} {
		var refused *badRequest
		if err := (&Exchange{}).parseRequest(head + "\r\n"); !errors.As(err, &refused) || refused.text() != want || refused.Error() != refused.reason {
			t.Errorf("%q: %v", head, err)
		}
	}
	if text := (&badRequest{http.StatusRequestHeaderFieldsTooLarge, ""}).text(); text != "431 Request Header Fields Too Large" {
		t.Errorf("%q", text)
	}
}

func TestEmptyLinesBeforeARequestAreCounted(t *testing.T) {
	for text, want := range map[string]int{"": 0, "GET": 0, "\r\nGET": 2, "\nGET": 1, "\r\n\r\nGET": 4, "\r\n\r\n\r\nGET": 4, "\r\n": 2} {
		if n := emptyLines([]byte(text)); n != want {
			t.Errorf("%q: %d bytes", text, n)
		}
	}
}
