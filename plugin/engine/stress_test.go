package engine

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The ways in which exchange n of the stress test goes. Those of a provider are
// done at a byte of its answer, those of a client at a byte of its request.
var ways = []string{"whole", "split", "cut", "reset", "beyond", "stalled", "client splits", "client cuts", "client resets"}

// tale is exchange n: what is sent, what is answered, and what goes wrong where.
type tale struct {
	n       int
	way     string
	request string
	body    string // of the answer
	answer  string
	at      int
}

func newTale(n int) *tale {
	x := &tale{n: n, way: ways[n%len(ways)]}
	said := fmt.Sprintf("said %d", n)
	x.request = fmt.Sprintf("POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", n, len(said), said)
	x.body = fmt.Sprintf("answer %d of its own", n)
	if n/len(ways)%2 == 0 {
		x.answer = fmt.Sprintf("HTTP/1.1 200 OK\r\nX-N: %d\r\nContent-Length: %d\r\n\r\n%s", n, len(x.body), x.body)
	} else {
		x.answer = fmt.Sprintf("HTTP/1.1 200 OK\r\nX-N: %d\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", n, x.body[:5], len(x.body)-5, x.body[5:])
	}
	x.at = n / len(ways) / 2
	if strings.HasPrefix(x.way, "client") {
		x.at %= len(x.request)
	} else {
		x.at %= len(x.answer)
	}
	return x
}

// provider answers the requests of a connection, each in its way.
func (x *tale) provide(c net.Conn, below *held) (goOn bool) {
	write := func(s string) { _, _ = io.WriteString(c, s) }
	switch x.way {
	case "split":
		write(x.answer[:x.at])
		time.Sleep(50 * time.Microsecond)
		write(x.answer[x.at:])
	case "cut":
		write(x.answer[:x.at])
		return false
	case "reset":
		write(x.answer[:x.at])
		_ = below.Conn.(*net.TCPConn).SetLinger(0)
		return false
	case "beyond": // at once: what comes after the next request is its answer
		next := newTale(x.n + 1).answer
		below.hold = true
		if x.at%2 == 0 {
			write(x.answer + next[:1+x.at%len(next)])
		} else {
			write(x.answer) // on TLS, a record of its own
			write(next)
		}
		below.release(0)
	case "stalled":
		write(x.answer[:x.at])
		_, _ = io.Copy(io.Discard, c) // until the client has had enough
		return false
	default:
		write(x.answer)
	}
	return true
}

// stressed serves tales on l until it is closed.
func stressed(t *testing.T, l net.Listener, config *tls.Config) {
	for {
		socket, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer socket.Close()
			below := &held{Conn: socket}
			c := net.Conn(below)
			if config != nil {
				c = tls.Server(below, config)
			}
			in := newSource(c)
			defer in.release()
			for {
				head, err := in.head(4 << 10)
				if err != nil {
					return
				}
				var n, length int
				if _, err := fmt.Sscanf(head, "POST /%d", &n); err != nil {
					t.Errorf("the provider is sent %q", head)
					return
				}
				want := fmt.Sprintf("said %d", n)
				_, _ = fmt.Sscanf(head[strings.Index(head, "Content-Length:"):], "Content-Length: %d", &length)
				b := make([]byte, length)
				if _, err := io.ReadFull(&body{src: in, framing: sized, left: int64(length)}, b); err != nil {
					return
				}
				if string(b) != want {
					t.Errorf("with request %d the provider is sent %q", n, b)
				}
				if !newTale(n).provide(c, below) {
					return
				}
			}
		}()
	}
}

// tell is the client of one exchange on c; false: the connection is over.
func (x *tale) tell(t *testing.T, c net.Conn, r *bufio.Reader) (goOn bool) {
	switch x.way {
	case "client splits":
		_, _ = io.WriteString(c, x.request[:x.at])
		time.Sleep(50 * time.Microsecond)
		_, _ = io.WriteString(c, x.request[x.at:])
	case "client cuts", "client resets":
		_, _ = io.WriteString(c, x.request[:x.at])
		if x.way == "client resets" {
			_ = c.(*net.TCPConn).SetLinger(0)
		}
		return false
	default:
		_, _ = io.WriteString(c, x.request)
	}
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Errorf("%d, %s at %d: no answer: %v", x.n, x.way, x.at, err)
		return false
	}
	b, err := io.ReadAll(resp.Body)
	switch x.way {
	case "cut", "reset", "stalled":
		if resp.StatusCode == 502 && err == nil {
			return true
		}
		if err == nil || resp.StatusCode != 200 || !strings.HasPrefix(x.body, string(b)) {
			t.Errorf("%d, %s at %d: answered %d %q, %v", x.n, x.way, x.at, resp.StatusCode, b, err)
		}
		return false
	}
	if err != nil || resp.StatusCode != 200 || string(b) != x.body || resp.Header.Get("X-N") != fmt.Sprint(x.n) {
		t.Errorf("%d, %s at %d: answered %d %q of %s, %v", x.n, x.way, x.at, resp.StatusCode, b, resp.Header.Get("X-N"), err)
		return false
	}
	return true
}

// Ten thousand exchanges through a gateway, on the sockets that production has,
// plain and on TLS, with a fault at every byte of either side: each gets its own
// answer whole, or an error, and never another's.
func TestTenThousandExchangesWithFaultsAtEveryByte(t *testing.T) {
	if race {
		t.Skip("the race detector has other socket code, and other tests")
	}
	total := 5_000
	if testing.Short() {
		total = 500
	}
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			cert := httptest.NewTLSServer(nil)
			cert.Close()
			scheme, config := "http", (*tls.Config)(nil)
			if secure {
				scheme, config = "https", &tls.Config{Certificates: cert.TLS.Certificates}
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go stressed(t, l, config)
			client := newClient(t, &tls.Config{RootCAs: rootsOf(cert)}, "")
			addr := serve(t, &Server{}, func(x *Exchange) { passOn(t, x, client, scheme+"://"+l.Addr().String()) })
			var next atomic.Int32
			var clients sync.WaitGroup
			start := time.Now()
			for range 16 {
				clients.Go(func() {
					var c net.Conn
					var r *bufio.Reader
					for n := int(next.Add(1)); n <= total; n = int(next.Add(1)) {
						if c == nil {
							var err error
							if c, err = net.Dial("tcp", addr); err != nil {
								t.Error(err)
								return
							}
							_ = c.SetDeadline(time.Now().Add(60 * time.Second))
							r = bufio.NewReader(c)
						}
						if !newTale(n).tell(t, c, r) {
							c.Close()
							c = nil
						}
					}
					if c != nil {
						c.Close()
					}
				})
			}
			clients.Wait()
			t.Logf("%d exchanges in %v", total, time.Since(start))
		})
	}
}

// passOn is a gateway: the provider's answer for the client's request.
func passOn(t *testing.T, x *Exchange, client *Client, to string) {
	var n int
	_, _ = fmt.Sscanf(x.Path, "/%d", &n)
	said, err := io.ReadAll(x.Body())
	if err != nil {
		x.Abort()
		return
	}
	out := outgoing(t, "POST", to+x.Path, string(said))
	if newTale(n).way == "stalled" {
		out.Timeouts.Read = 20 * time.Millisecond
	}
	a, err := client.Do(x.Context(), out)
	if err != nil {
		_ = x.Start(http.StatusBadGateway, http.Header{}, 0)
		return
	}
	defer a.Body.Close()
	if x.Start(a.Status, a.Header, a.Length()) != nil {
		return
	}
	for b := make([]byte, 64); ; {
		n, err := a.Body.Read(b)
		if x.Write(b[:n]) != nil || err == io.EOF {
			return
		}
		if err != nil {
			_ = x.Flush()
			x.Abort()
			return
		}
	}
}
