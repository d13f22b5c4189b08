package engine

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/conformance/growth"
)

// No size that a chunk claims overflows, behind whatever came before.
func TestHugeChunksAreMalformed(t *testing.T) {
	failed := make(chan error, 1)
	addr := serve(t, &Server{}, func(x *Exchange) {
		_, err := io.ReadAll(x.Body())
		failed <- err
		x.Abort()
	})
	for _, before := range []string{"", "1\r\na\r\n", "4\r\nabcd\r\n"} {
		for _, size := range []string{"7FFFFFFFFFFFFFFF", "7ffffffffffffffe", "4000000000000000", "8000000000000000", "FFFFFFFFFFFFFFFF", "10000000000000000", fmt.Sprintf("%x", maxChunk+1)} {
			c, _ := dialTest(t, addr)
			send(t, c, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"+before+size+"\r\nhello")
			if err := <-failed; !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("%q then a chunk of %s: %v", before, size, err)
			}
			c.Close()
		}
	}
	b := &body{framing: chunked, src: &source{}}
	if err := b.size([]byte(fmt.Sprintf("%x", maxChunk))); err != nil || b.left != maxChunk {
		t.Errorf("a chunk at the limit: %v, %d bytes", err, b.left)
	}
}

func TestCONNECTIsRefusedInWords(t *testing.T) {
	addr := serve(t, &Server{}, func(x *Exchange) { t.Errorf("%s reaches the handler", x.Method) })
	for _, target := range []string{"api.example:443", "/path"} {
		c, r := dialTest(t, addr)
		send(t, c, "CONNECT "+target+" HTTP/1.1\r\nHost: api.example\r\n\r\n")
		if resp, body := response(t, r); resp.StatusCode != 501 || !strings.Contains(body, "CONNECT is not supported") || !resp.Close {
			t.Errorf("%s: %d %q", target, resp.StatusCode, body)
		}
	}
	out := outgoing(t, "CONNECT", "http://127.0.0.1:1/")
	if err := check(out); err == nil || !strings.Contains(err.Error(), "CONNECT") {
		t.Errorf("to a provider: %v", err)
	}
}

func TestControlCharactersDoNotReachAHeader(t *testing.T) {
	addr := serve(t, &Server{}, func(x *Exchange) {
		_ = x.Start(200, http.Header{"X-Model": {" a\x00b\r\nX-Evil: 1\x7f\x1b[1m\tc\x01"}}, 0)
	})
	c, r := dialTest(t, addr)
	send(t, c, get)
	resp, _ := response(t, r)
	if got := resp.Header.Get("X-Model"); got != "a b  X-Evil: 1  [1m\tc" || resp.Header["X-Evil"] != nil {
		t.Errorf("%q %v", got, resp.Header)
	}
}

// HEAD's answer has the length of what GET's would have, and no body.
func TestHEADHasALengthAndNoBody(t *testing.T) {
	addr := serve(t, &Server{}, func(x *Exchange) {
		_ = x.Start(200, http.Header{}, 1000)
		_ = x.Write([]byte("not for HEAD"))
	})
	c, r := dialTest(t, addr)
	send(t, c, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"+"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
	for range 2 {
		resp, err := http.ReadResponse(r, &http.Request{Method: "HEAD"})
		if err != nil || resp.ContentLength != 1000 || resp.Close {
			t.Fatalf("%v, %+v", err, resp)
		}
	}
}

// Reading heads, lines and chunks takes time in proportion to their bytes, in
// whatever pieces they come.
func TestReadingIsLinear(t *testing.T) {
	drops := func(text string, each int) io.Reader { return &dropping{text, each} }
	for _, c := range []struct {
		name string
		read func(n int) error
	}{
		{"a head by the byte", func(n int) error {
			_, err := (newSource(read{Reader: drops("GET / HTTP/1.1\r\nX: "+strings.Repeat("v", n)+"\r\n\r\n", 1)})).head(1 << 30)
			return err
		}},
		{"an interim answer by the byte", func(n int) error {
			return (newSource(read{Reader: drops("HTTP/1.1 100 C\r\nX: "+strings.Repeat("v", n)+"\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 1)})).final()
		}},
		{"fields of one name", func(n int) error {
			_, err := parseFields(strings.Repeat("X: 1\r\n", n/60) + "\r\n")
			return err
		}},
		{"chunks of a byte", func(n int) error {
			b := &body{framing: chunked, src: newSource(read{Reader: drops(strings.Repeat("1\r\na\r\n", n)+"0\r\n\r\n", 8<<10)})}
			_, err := io.Copy(io.Discard, b)
			return err
		}},
		{"chunks by the byte", func(n int) error {
			b := &body{framing: chunked, src: newSource(read{Reader: drops(strings.Repeat("1\r\na\r\n", n)+"0\r\n\r\n", 1)})}
			_, err := io.Copy(io.Discard, b)
			return err
		}},
	} {
		growth.Linear(t, c.name, func(n int) func() {
			return func() {
				if err := c.read(10 * n); err != nil {
					t.Errorf("%s: %v", c.name, err)
				}
			}
		})
	}
}

// read is a connection that is only read.
type read struct {
	net.Conn
	io.Reader
}

func (r read) Read(p []byte) (int, error)      { return r.Reader.Read(p) }
func (r read) SetReadDeadline(time.Time) error { return nil }

// dropping gives a text in pieces of each bytes.
type dropping struct {
	text string
	each int
}

func (d *dropping) Read(p []byte) (int, error) {
	if d.text == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), d.each)], d.text)
	d.text = d.text[n:]
	return n, nil
}
