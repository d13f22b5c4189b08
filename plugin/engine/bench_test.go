package engine

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/frame"
)

// shape is a request and its answer as gateways carry them.
type shape struct {
	name   string
	body   int // bytes of the request's body
	answer string
	stream bool // the answer is read as streams are
	// The most that one exchange on TLS may allocate, with the share of the test's
	// provider: objects, and bytes. Bodies are not copied.
	objects, bytes uint64
}

func shapes() []shape {
	const event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\n"
	sized := func(n int) string {
		return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("x", n)
	}
	events := "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" +
		strings.Repeat(strconv.FormatInt(int64(len(event)), 16)+"\r\n"+event+"\r\n", 100) + "0\r\n\r\n"
	return []shape{
		{name: "1 KB", body: 1 << 10, answer: sized(1024), objects: 20, bytes: 2 << 10},
		{name: "an agent's prompt of 450 KB", body: 450 << 10, answer: sized(1024), objects: 60, bytes: 6 << 10},
		{name: "a stream of 100 events", body: 1 << 10, answer: events, stream: true, objects: 20, bytes: 2 << 10},
	}
}

// exchange makes one exchange of the shape.
func (s *shape) exchange(t testing.TB, client *Client, out *wire.Outgoing, b []byte) {
	a, err := client.Do(context.Background(), out)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	for err == nil {
		if s.stream {
			a.Body.(frame.Waiter).Wait()
		}
		_, err = a.Body.Read(b)
	}
	if err != io.EOF {
		t.Fatal(err)
	}
}

// onTLS returns a client, and a request of the shape to a provider on TLS.
func (s *shape) onTLS(t testing.TB) (*Client, *wire.Outgoing) {
	answer, rest := []byte(s.answer), make([]byte, 32<<10)
	url, roots, _ := secureProvider(t, func(c *tls.Conn, _ *held) {
		_, _ = c.Write(answer)
	}, func(c io.Reader) {
		_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, io.LimitReader(c, int64(s.body)), rest)
	})
	out := outgoing(t, "POST", url)
	out.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer x"}}
	half := []byte(strings.Repeat("x", s.body/2))
	out.Pieces = [][]byte{half, half}
	return newClient(t, &tls.Config{RootCAs: roots}, ""), out
}

func BenchmarkExchangeOnTLS(b *testing.B) {
	for _, s := range shapes() {
		b.Run(s.name, func(b *testing.B) {
			client, out := s.onTLS(b)
			buf := make([]byte, bufferSize)
			b.ReportAllocs()
			for b.Loop() {
				s.exchange(b, client, out, buf)
			}
		})
	}
}

// An exchange on TLS allocates what its headers need, whatever its size.
func TestAnExchangeOnTLSAllocatesLittle(t *testing.T) {
	if race {
		t.Skip("the race detector allocates, too")
	}
	for _, s := range shapes() {
		client, out := s.onTLS(t)
		buf := make([]byte, bufferSize)
		const n = 200
		var before, after runtime.MemStats
		for range 2 { // once to fill the pools
			runtime.ReadMemStats(&before)
			for range n {
				s.exchange(t, client, out, buf)
			}
			runtime.ReadMemStats(&after)
		}
		objects, bytes := (after.Mallocs-before.Mallocs)/n, (after.TotalAlloc-before.TotalAlloc)/n
		t.Logf("%s: %d objects, %d bytes", s.name, objects, bytes)
		if objects > s.objects || bytes > s.bytes {
			t.Errorf("%s: %d objects of %d bytes in all, more than %d of %d", s.name, objects, bytes, s.objects, s.bytes)
		}
	}
}
