package responsecache

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go-ai-proxy/translators/conformance/growth"
	"go-ai-proxy/translators/jsonedit"
)

func entry(n int) *Entry { return &Entry{Body: bytes.Repeat([]byte("x"), n)} }

func TestMemoryKeepsWhatWasUsedLast(t *testing.T) {
	c := New(Options{TTL: time.Minute, Entries: 2})
	for _, k := range []byte{1, 2} {
		c.Put(t.Context(), Key{k}, entry(1))
	}
	c.Get(t.Context(), Key{1})
	c.Put(t.Context(), Key{3}, entry(1))
	if c.Get(t.Context(), Key{1}) == nil || c.Get(t.Context(), Key{2}) != nil || c.Get(t.Context(), Key{3}) == nil {
		t.Error("not the one that was not used longest went")
	}
}

func TestMemoryIsBoundedInBytes(t *testing.T) {
	c := New(Options{TTL: time.Minute, Bytes: 10_000})
	m := c.store.(*memory)
	for k := range byte(100) {
		c.Put(t.Context(), Key{k}, entry(3000))
		if m.used > 10_000 {
			t.Fatalf("%d bytes", m.used)
		}
	}
	if len(m.byKey) != 2 || m.order.Len() != 2 {
		t.Errorf("%d entries", len(m.byKey))
	}
	c.Put(t.Context(), Key{99}, entry(10)) // replaces
	c.Put(t.Context(), Key{98}, entry(20_000))
	c.Put(t.Context(), Key{97}, entry(MaxEntry+1))
	want := 0
	for _, at := range m.byKey {
		want += at.Value.(*kept).entry.size()
	}
	if m.used != want || len(m.byKey) != 2 {
		t.Errorf("%d bytes are counted of %d, %d entries", m.used, want, len(m.byKey))
	}
	c.Close()
	if m.used != 0 || c.Get(t.Context(), Key{99}) != nil {
		t.Error("something is left")
	}
}

func TestAnswersAreForgottenAfterTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{TTL: time.Second})
		c.Put(t.Context(), Key{1}, entry(1))
		time.Sleep(time.Second - 1)
		if c.Get(t.Context(), Key{1}) == nil {
			t.Error("gone too early")
		}
		time.Sleep(time.Nanosecond)
		if c.Get(t.Context(), Key{1}) != nil || c.store.(*memory).used != 0 {
			t.Error("still there")
		}
	})
}

func TestMemoryIsSafeForConcurrentUse(t *testing.T) {
	c := New(Options{TTL: time.Minute, Entries: 10})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 500 {
				k := Key{byte(n * i % 40)}
				if c.Get(t.Context(), k) == nil {
					c.Put(t.Context(), k, entry(n))
				}
			}
		})
	}
	wg.Wait()
	if m := c.store.(*memory); len(m.byKey) > 10 || len(m.byKey) != m.order.Len() {
		t.Errorf("%d and %d entries", len(m.byKey), m.order.Len())
	}
}

func TestEntrySurvivesItsForm(t *testing.T) {
	e := &Entry{Header: map[string][]string{"Content-Type": {"x"}}, Body: []byte{0, 255, '"'}, Stream: true, Provider: "p", Cost: 1.5}
	e.Usage.Prompt = 7
	got := decode(encode(e))
	if !bytes.Equal(got.Body, e.Body) || got.Header["Content-Type"][0] != "x" || !got.Stream || got.Usage != e.Usage || got.Cost != 1.5 {
		t.Errorf("%+v", got)
	}
	if decode([]byte("{")) != nil {
		t.Error("half an entry is one")
	}
}

func request(body string) *Request {
	ms, err := jsonedit.Object([]byte(body), nil)
	if err != nil {
		panic(err)
	}
	return &Request{Members: ms}
}

func TestOnlyRequestsWithoutEffectsMayBeKept(t *testing.T) {
	for body, want := range map[string]bool{
		`{"temperature":0}`: true, `{"temperature":0.0}`: true, `{"temperature":0.1}`: false, `{"temperature":"0"}`: false, `{"model":"m"}`: false,
		`{"generationConfig":{"temperature":0}}`: true, `{"inferenceConfig":{"temperature":0}}`: true,
		`{"temperature":0,"store":false,"background":null}`: true, `{"temperature":0,"store":true}`: false,
		`{"temperature":0,"previous_response_id":"r"}`: false, `{"temperature":0,"conversation":"c"}`: false, `{"temperature":0,"mcp_servers":[{}]}`: false,
		`{"temperature":0,"tools":[{"type":"function","function":{}}]}`: true, `{"temperature":0,"tools":[{"name":"a","input_schema":{},"cache_control":{}}]}`: true,
		`{"temperature":0,"tools":[{"functionDeclarations":[]}]}`: true, `{"temperature":0,"toolConfig":{"tools":[{"toolSpec":{}}]}}`: true,
		`{"temperature":0,"tools":[{"type":"web_search"}]}`: false, `{"temperature":0,"tools":[{"googleSearch":{}}]}`: false,
		`{"temperature":0,"tools":[{"type":"bash_20250124","name":"bash"}]}`: false, `{"temperature":0,"toolConfig":{"tools":[{"systemTool":{}}]}}`: false,
	} {
		if got := New(Options{}).Use(request(body)); got.Write != want || got.Read != want {
			t.Errorf("%s: %+v, want %v", body, got, want)
		}
	}
}

func TestKeysDifferByAllThatAnAnswerDependsOn(t *testing.T) {
	const body = `{"temperature":0,"messages":[{"a":1}]}`
	c := New(Options{Scope: []byte("s"), Consumer: true, Group: true})
	seen := map[Key]int{}
	requests := []*Request{request(body)}
	for _, change := range []func(*Request){
		func(r *Request) { r.Route = "x" }, func(r *Request) { r.Path = "x" }, func(r *Request) { r.Query = "x" }, func(r *Request) { r.API = "x" },
		func(r *Request) { r.Model = "x" }, func(r *Request) { r.Targets = []string{"x"} }, func(r *Request) { r.Stream = true }, func(r *Request) { r.Gzip = true },
		func(r *Request) { r.Consumer = "x" }, func(r *Request) { r.Groups = []string{"x"} }, func(r *Request) { r.Headers = []string{"x"} },
	} {
		r := request(body)
		change(r)
		requests = append(requests, r)
	}
	requests = append(requests, request(`{"temperature":0,"messages":[{"a":2}]}`), request(`{"temperature":0,"message":[{"a":1}]}`))
	for i, r := range requests {
		k := c.Key(r)
		if j, ok := seen[k]; ok {
			t.Errorf("requests %d and %d have one key", i, j)
		}
		seen[k] = i
	}
	if New(Options{Scope: []byte("t"), Consumer: true, Group: true}).Key(requests[0]) == c.Key(requests[0]) {
		t.Error("two configurations have one key")
	}
	if c.Key(request(`{"messages":[ {"a" : 1} ], "user":"u", "temperature":1,"temperature":0}`)) != c.Key(requests[0]) {
		t.Error("what means the same has two keys")
	}
}

func TestTimeForAKeyGrowsWithTheBody(t *testing.T) {
	c := New(Options{AnyTemperature: true})
	growth.Check(t, func(b []byte) {
		if ms, err := jsonedit.Object(b, nil); err == nil {
			r := &Request{Members: ms}
			c.Use(r)
			c.Key(r)
		}
	}, []byte(`{"temperature":0,"tools":[{"type":"function","function":{"name":"a"}}],"messages":[{"role":"user","content":"`+strings.Repeat("x", 10)+`"}]}`))
}
