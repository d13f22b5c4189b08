package resp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
)

// answers starts a server that sends text at once to whoever comes.
func answers(t *testing.T, text string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := io.ReadFull(c, make([]byte, 1)); err == nil {
					io.WriteString(c, text)
					io.Copy(io.Discard, c)
				}
			}()
		}
	}()
	return l.Addr().String()
}

func client(addr string) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: addr, Protocol: 2, DisableIdentity: true, MaxRetries: -1, DialerRetries: 1,
		ReadTimeout: 20 * time.Second, Dialer: Dialer(20*time.Second, nil)})
}

// TestNonsenseFromRedisIsAnErrorNotACrash has go-redis itself read answers
// that end the process without the guard.
func TestNonsenseFromRedisIsAnErrorNotACrash(t *testing.T) {
	for name, text := range map[string]string{
		"an array of all memory":     "*2147483647\r\n",
		"beyond an int":              "*99999999999999999999\r\n",
		"a text of all memory":       "$9223372036854775807\r\n",
		"a map of all memory":        "%2147483647\r\n",
		"arrays in arrays for ever":  strings.Repeat("*1\r\n", 4<<20),
		"large arrays in one":        strings.Repeat("*131072\r\n", 3),
		"attributes for ever":        strings.Repeat("|0\r\n", 1<<20),
		"a line without an end":      "+" + strings.Repeat("x", 1<<20),
		"texts of much memory":       "*100\r\n" + strings.Repeat("$4194304\r\n"+strings.Repeat("x", 4<<20)+"\r\n", 9),
		"a negative length":          "*-2\r\n",
		"a length with a sign":       "$+5\r\nhello\r\n",
		"a streamed array":           "*?\r\n",
		"what is not Redis":          "HTTP/1.1 400 Bad Request\r\n",
		"a line end without a \\r":   "+OK\n",
		"nothing but a line end":     "\r\n",
		"a length without any digit": "$\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := client(answers(t, text))
			defer c.Close()
			_, err := c.Do(t.Context(), "GET", "x").Result()
			if err == nil || !strings.Contains(err.Error(), "the connection is closed") {
				t.Fatalf("%v", err)
			}
		})
	}
}

func TestGuardFollowsAnswersCutAnywhere(t *testing.T) {
	stream := "+OK\r\n*2\r\n$3\r\na\nb\r\n*-1\r\n*0\r\n$-1\r\n$0\r\n\r\n%1\r\n+k\r\n~2\r\n:1\r\n_\r\n>1\r\n#t\r\n-ERR no\r\n"
	for size := 1; size <= len(stream); size++ {
		var g guard
		for rest := stream; rest != ""; {
			n := min(size, len(rest))
			if err := g.check([]byte(rest[:n])); err != nil {
				t.Fatalf("in pieces of %d: %v", size, err)
			}
			rest = rest[n:]
		}
		if g.depth != 0 || g.skip != 0 || len(g.line) != 0 || g.elements != 0 || g.bytes != 0 {
			t.Fatalf("in pieces of %d: something is open: %+v", size, g)
		}
	}
}

func TestLimitsApplyPerAnswerNotPerConnection(t *testing.T) {
	largest := "$4194304\r\n" + strings.Repeat("x", maxText) + "\r\n"
	deep := strings.Repeat("*1\r\n", maxDepth) + ":1\r\n"
	wide := "*131072\r\n" + strings.Repeat(":1\r\n", maxElements)
	long := "+" + strings.Repeat("x", maxLine-2) + "\r\n"
	for name, answer := range map[string]string{"bytes": "*8\r\n" + strings.Repeat(largest, 8), "depth": deep, "elements": wide, "line": long} {
		var g guard
		for range 3 {
			if err := g.check([]byte(answer)); err != nil {
				t.Errorf("%s, at the limit: %v", name, err)
			}
		}
	}
	for name, answer := range map[string]string{
		"bytes":    "*9\r\n" + strings.Repeat(largest, 8) + "$1\r\n",
		"depth":    "*1\r\n" + deep,
		"elements": "*2\r\n*131071\r\n",
		"pairs":    "%65537\r\n",
		"line":     "+x" + long[1:],
		"text":     "$4194305\r\n",
	} {
		var g guard
		if g.check([]byte(answer)) == nil {
			t.Errorf("%s, one more than the limit: no error", name)
		}
	}
}

func TestNothingIsReadAfterNonsense(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	go func() {
		io.WriteString(there, "+OK\r\n")
		io.WriteString(there, "+OK\r\nnonsense\r\n")
	}()
	c := guarded(here)
	p := make([]byte, 100)
	if n, err := c.Read(p); err != nil || string(p[:n]) != "+OK\r\n" {
		t.Fatalf("%q %v", p[:n], err)
	}
	for range 2 {
		if n, err := c.Read(p); n != 0 || err == nil || errors.Is(err, io.EOF) {
			t.Fatalf("%d bytes, %v", n, err)
		}
	}
	if _, err := here.Write(p); err == nil {
		t.Error("the connection is open")
	}
}

// TestIdleSocketsCanBeChecked: go-redis drops a pooled connection that the
// server has closed by peeking at its socket.
func TestIdleSocketsCanBeChecked(t *testing.T) {
	c, err := Dialer(time.Second, nil)(context.Background(), "tcp", answers(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, ok := c.(syscall.Conn); !ok {
		t.Error("the socket is hidden")
	}
}

func TestClientsLogLinesGoToOurLog(t *testing.T) {
	var out bytes.Buffer
	LogTo(zerolog.New(&out))
	defer LogTo(zerolog.Nop())
	lines{zerolog.New(&out)}.Printf(t.Context(), "sentinel: %s", "lost")
	if got := out.String(); !strings.Contains(got, `"error":"sentinel: lost"`) || !strings.Contains(got, `"level":"warn"`) {
		t.Errorf("%s", got)
	}
}
