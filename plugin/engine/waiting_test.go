package engine

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/frame"
)

// maxWaiting bounds what a stream that waits for its next event holds of the heap,
// in bytes, on TLS: the two connections' structures, the keys, and TLS's own buffer
// of a record. A buffer of ours would be as much again.
const maxWaiting = 12 << 10

// streams opens n streams to a provider that says a first event and then waits,
// and has each wait for the second. It returns what ends them.
func streams(t testing.TB, client *Client, url string, n int) (end func()) {
	begun, ended := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	for range n {
		go func() {
			defer func() { ended <- struct{}{} }()
			life := &lifetime{}
			defer context.AfterFunc(ctx, life.end)()
			a, err := client.Do(life, outgoing(t, "GET", url))
			if err != nil {
				t.Error(err)
				begun <- struct{}{}
				return
			}
			defer a.Body.Close()
			b := make([]byte, len("data: 1\n\n"))
			_, err = io.ReadFull(a.Body, b)
			if err != nil {
				t.Error(err)
			}
			begun <- struct{}{}
			a.Body.(frame.Waiter).Wait()
		}()
	}
	for range n {
		<-begun
	}
	return func() {
		cancel()
		for range n {
			<-ended
		}
	}
}

// heap is how many bytes of the heap are in use when garbage and pools are gone.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// The memory of a gateway for thousands of streams is that of streams that wait.
func TestAWaitingTLSStreamHoldsLittle(t *testing.T) {
	if race {
		t.Skip("the race detector has memory of its own")
	}
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n"
	wait := make(chan struct{})
	defer close(wait)
	url, roots, _ := secureProvider(t, func(c *tls.Conn, _ *held) {
		_, _ = io.WriteString(c, head)
		<-wait
	})
	client := newClient(t, &tls.Config{RootCAs: roots}, "")
	streams(t, client, url, 8)() // the first certificate, tables and the like

	// What the provider's side holds is measured without ours: it holds the same
	// for a client that is a bare connection.
	const n = 200
	before := settled(heap)
	end := streams(t, client, url, n)
	both := (settled(heap) - before) / n
	end()
	before = settled(heap)
	var conns []*tls.Conn
	for range n {
		c, err := tls.Dial("tcp", strings.TrimPrefix(url, "https://"), &tls.Config{RootCAs: roots})
		if err != nil {
			t.Fatal(err)
		}
		defer c.NetConn().Close()
		_, _ = io.WriteString(c, "POST / HTTP/1.1\r\n\r\n")
		if _, err := io.ReadFull(c, make([]byte, len(head))); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	bare := (settled(heap) - before) / n
	runtime.KeepAlive(conns)
	t.Logf("a waiting stream holds %d bytes with the provider's side; two bare connections %d", both, bare)
	if ours := both - bare/2; ours > maxWaiting {
		t.Errorf("a waiting stream holds %d bytes of the heap, more than %d", ours, maxWaiting)
	}
}

// What was sent in several records at once is read at once, so that it is written
// to the client at once.
func TestRecordsThatCameTogetherAreReadTogether(t *testing.T) {
	url, roots, _ := secureProvider(t, func(c *tls.Conn, below *held) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		below.hold = true
		for range 20 {
			_, _ = io.WriteString(c, "9\r\ndata: 1\n\n\r\n")
		}
		_, _ = io.WriteString(c, "0\r\n\r\n")
		time.Sleep(10 * time.Millisecond)
		below.release(0)
	})
	client := newClient(t, &tls.Config{RootCAs: roots}, "")
	for range 2 {
		a, err := client.Do(context.Background(), outgoing(t, "POST", url, "{}"))
		if err != nil {
			t.Fatal(err)
		}
		a.Body.(frame.Waiter).Wait()
		b := make([]byte, 4<<10)
		n, err := a.Body.Read(b)
		if want := strings.Repeat("data: 1\n\n", 20); string(b[:n]) != want || err != io.EOF {
			t.Errorf("read %q, %v", b[:n], err)
		}
		a.Body.Close()
	}
}

// counting is a connection that counts reads and the TLS records of application
// data in them.
type counting struct {
	net.Conn
	reads, records int
	head           []byte
	left           int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.reads++
	for b := p[:n]; len(b) > 0; {
		if c.left > 0 {
			m := min(c.left, len(b))
			c.left -= m
			b = b[m:]
			continue
		}
		c.head = append(c.head, b[0])
		if b = b[1:]; len(c.head) == recordHeader {
			if c.head[0] == 23 {
				c.records++
			}
			c.left, c.head = int(c.head[3])<<8|int(c.head[4]), nil
		}
	}
	return n, err
}

// A request is as few records as its bytes need: head and body share the first.
func TestARequestIsFewTLSRecords(t *testing.T) {
	up := tlsCertificate()
	for _, c := range []struct{ size, records int }{{10, 1}, {7000, 1}, {40000, 5}} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan int, 2)
		go func() {
			socket, err := l.Accept()
			if err != nil {
				return
			}
			defer socket.Close()
			below := &counting{Conn: socket}
			conn := tls.Server(below, up.config)
			if conn.Handshake() != nil {
				return
			}
			in := newSource(conn)
			defer in.release()
			for range 2 { // the first of a connection, and a later one
				before := below.records
				if _, err := in.head(4 << 10); err != nil {
					return
				}
				if _, err := io.ReadFull(&body{src: in, framing: sized, left: int64(c.size)}, make([]byte, c.size)); err != nil {
					return
				}
				got <- below.records - before
				_, _ = io.WriteString(conn, okay)
			}
		}()
		client := newClient(t, &tls.Config{RootCAs: up.roots}, "")
		for i := range 2 {
			a, err := client.Do(context.Background(), outgoing(t, "POST", "https://"+l.Addr().String(), strings.Repeat("x", c.size-5), "12345"))
			text(t, a, err)
			// The client's Finished is a record of application data, too.
			if n := <-got; n > c.records {
				t.Errorf("request %d of %d bytes: %d records", i, c.size, n)
			}
		}
		l.Close()
	}
}

// What a provider says before it is asked anything is its answer on a fresh
// connection, even when nothing more comes.
func TestAnAnswerBeforeTheRequestIsHeardOnAFreshConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	said := make(chan struct{})
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno")
		close(said)
		_, _ = io.Copy(io.Discard, c)
	}()
	client := newClient(t, nil, "")
	dial := client.dialSocket
	client.dialSocket = func(ctx context.Context, address string) (net.Conn, error) {
		c, err := dial(ctx, address)
		<-said
		time.Sleep(5 * time.Millisecond)
		return c, err
	}
	out := outgoing(t, "POST", "http://"+l.Addr().String(), "{}")
	out.Timeouts = wire.Timeouts{Read: 20 * time.Second}
	a, err := client.Do(context.Background(), out)
	if got := text(t, a, err); got != "no" || a.Status != 503 {
		t.Errorf("answered %d %q", a.Status, got)
	}
}

// A socket may take a part of even a small request; the rest follows.
func TestASmallRequestThatTheSocketTakesInPartsArrives(t *testing.T) {
	up := tlsCertificate()
	for _, scheme := range []string{"http", "https"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Repeat("0123456789", 700)
		got := make(chan string, 1)
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			_ = c.(*net.TCPConn).SetReadBuffer(1)
			if scheme == "https" {
				c = tls.Server(c, up.config)
			}
			in := newSource(c)
			defer in.release()
			if _, err := in.head(4 << 10); err != nil {
				return
			}
			b := make([]byte, len(want))
			_, _ = io.ReadFull(&body{src: in, framing: sized, left: int64(len(want))}, b)
			got <- string(b)
			_, _ = io.WriteString(c, okay)
		}()
		client := newClient(t, &tls.Config{RootCAs: up.roots}, "")
		dial := client.dialSocket
		client.dialSocket = func(ctx context.Context, address string) (net.Conn, error) {
			c, err := dial(ctx, address)
			if err == nil {
				err = c.(*net.TCPConn).SetWriteBuffer(1)
			}
			return c, err
		}
		a, err := client.Do(context.Background(), outgoing(t, "POST", scheme+"://"+l.Addr().String(), want))
		text(t, a, err)
		if <-got != want {
			t.Errorf("%s: the request came as another", scheme)
		}
		l.Close()
	}
}
