package responsecache

import (
	"testing"
	"time"

	"go-ai-proxy/plugin/resp/redistest"
	"go-ai-proxy/test/lateness"

	"github.com/rs/zerolog"
)

func TestNodesShareAnswersThroughRedis(t *testing.T) {
	saved := patience
	patience = 5 * time.Second
	t.Cleanup(func() { patience = saved })
	server := redistest.New(t)
	open := func(ttl time.Duration) *Cache {
		r, err := OpenRedis(server.URL(), zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		return New(Options{TTL: ttl, Redis: r})
	}
	one, other, brief := open(time.Minute), open(time.Minute), open(time.Second)
	one.Put(t.Context(), Key{1}, entry(3))
	if e := other.Get(t.Context(), Key{1}); e == nil || string(e.Body) != "xxx" {
		t.Fatalf("%+v", e)
	}
	if other.Get(t.Context(), Key{2}) != nil {
		t.Error("an answer that nobody put in")
	}
	brief.Put(t.Context(), Key{3}, entry(3))
	for end := time.Now().Add(20 * time.Second); other.Get(t.Context(), Key{3}) != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("still there after its time")
		}
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
