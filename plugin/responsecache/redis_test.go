package responsecache

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// startRedis starts a real redis-server without persistence, and returns its URL.
func startRedis(t *testing.T) (url string, stop func()) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no redis-server")
		}
		t.Skip("needs redis-server")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	cmd := exec.Command("redis-server", "--port", fmt.Sprint(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	t.Cleanup(stop)
	for range 200 {
		if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
			c.Close()
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Sprintf("redis://127.0.0.1:%d/0", port), stop
}

func TestNodesShareAnswersThroughRedis(t *testing.T) {
	url, stop := startRedis(t)
	open := func() *Cache {
		r, err := OpenRedis(url, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		return New(Options{TTL: time.Second, Redis: r})
	}
	one, other := open(), open()
	one.Put(t.Context(), Key{1}, entry(3))
	if e := other.Get(t.Context(), Key{1}); e == nil || string(e.Body) != "xxx" {
		t.Fatalf("%+v", e)
	}
	if other.Get(t.Context(), Key{2}) != nil {
		t.Error("an answer that nobody put in")
	}
	time.Sleep(1100 * time.Millisecond)
	if other.Get(t.Context(), Key{1}) != nil {
		t.Error("still there after its time")
	}
	stop()
	began := time.Now()
	one.Put(t.Context(), Key{1}, entry(3))
	if one.Get(t.Context(), Key{1}) != nil || time.Since(began) > 5*patience {
		t.Errorf("without Redis it took %v", time.Since(began))
	}
}

func TestURLOfRedisIsNotQuoted(t *testing.T) {
	if _, err := OpenRedis("redis://user:SECRET@host:x/0", zerolog.Nop()); err == nil || len(err.Error()) > 120 {
		t.Errorf("%v", err)
	}
}
