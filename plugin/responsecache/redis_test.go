package responsecache

import (
	"testing"
	"time"

	"go-ai-proxy/plugin/resp/redistest"
	"go-ai-proxy/test/lateness"

	"github.com/rs/zerolog"
)

func TestNodesShareAnswersThroughRedis(t *testing.T) {
	server := redistest.New(t)
	open := func() *Cache {
		r, err := OpenRedis(server.URL(), zerolog.Nop())
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
	server.Kill()
	machine := lateness.Start(t)
	began := time.Now()
	one.Put(t.Context(), Key{1}, entry(3))
	if one.Get(t.Context(), Key{1}) != nil || time.Since(began) > machine.Within(5*patience) {
		t.Errorf("without Redis it took %v", time.Since(began))
	}
}

func TestURLOfRedisIsNotQuoted(t *testing.T) {
	if _, err := OpenRedis("redis://user:SECRET@host:x/0", zerolog.Nop()); err == nil || len(err.Error()) > 120 {
		t.Errorf("%v", err)
	}
}
