package plugin

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/plugin/gateway"
	"go-ai-proxy/plugin/server"
	"go-ai-proxy/test/ports"
)

// The benchmarks of this file show whether requests at the same time wait for each other.
// If they do not, two processors take half the time of one (-cpu 1,2); -mutexprofile names
// the locks for which they wait.

const together = 64 // requests at the same time

// BenchmarkRelayOnManyCores is the relay alone, without HTTP.
func BenchmarkRelayOnManyCores(b *testing.B) {
	once := served(b, chatConf, wholeAnswer, prompt(1<<10))
	inParallel(b, func() func() { return once })
}

// BenchmarkGatewayOnManyCores is the whole way on Kong's Unix socket, with a provider that
// does nothing but answer. Each client has a connection of its own.
func BenchmarkGatewayOnManyCores(b *testing.B) {
	server.TuneCollector()
	up := alwaysAnswers(b, answerJSON)
	g, err := gateway.New(NewRelay(testSchema, zerolog.Nop(), enginetest.Kind), zerolog.Nop(), enginetest.Kind)
	if err != nil {
		b.Fatal(err)
	}
	dir := ports.Dir(b)
	closeSockets, err := g.ServeIn(dir)
	if err != nil {
		b.Fatal(err)
	}
	a, err := g.Open([]byte(strings.ReplaceAll(chatConf, "$UP", up)))
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		closeSockets()
		a.Close()
		g.Drain()
	}()
	_, port := g.Addr()
	body := prompt(1 << 10)
	request := fmt.Appendf(nil, "POST /chat HTTP/1.1\r\nHost: relay\r\nProxy-Authorization: %s?shim=1&path=/chat&ip=127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", a.Header(nil), len(body), body)
	inParallel(b, func() func() {
		c, err := net.Dial("unix", filepath.Join(dir, fmt.Sprintf(gateway.RelaySocket, port)))
		if err != nil {
			b.Skip("there is no Unix socket:", err)
		}
		b.Cleanup(func() { c.Close() })
		in := bufio.NewReader(c)
		return func() {
			if _, err := c.Write(request); err != nil {
				b.Error(err)
				return
			}
			answer, err := http.ReadResponse(in, nil)
			if err != nil || answer.StatusCode != http.StatusOK {
				b.Error(answer, err)
				return
			}
			_, _ = io.Copy(io.Discard, answer.Body)
		}
	})
}

// inParallel has as many as together clients do what client returns.
func inParallel(b *testing.B, client func() func()) {
	b.ReportAllocs()
	b.SetParallelism(together / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		once := client()
		for pb.Next() {
			once()
		}
	})
}

// alwaysAnswers is a provider that reads requests and answers each with body.
func alwaysAnswers(b *testing.B, body string) (url string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	serve := func(c net.Conn) {
		defer c.Close()
		in := bufio.NewReader(c)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return "http://" + l.Addr().String()
}
