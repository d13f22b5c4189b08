package plugin

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/balancer"
	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/plugin/gateway"
)

// TestReloadsUnderLoadLoseNeitherRequestsNorState opens one configuration
// after the other, with other weights each time, and closes the one before,
// while requests go on. As the plugin server does, it closes an instance when
// new requests have the next one's token; those that are under way finish.
func TestReloadsUnderLoadLoseNeitherRequestsNorState(t *testing.T) {
	list, urls := several(t, used(7, 3*time.Millisecond), used(7, time.Millisecond))
	relay := NewRelay(testSchema, zerolog.Nop(), enginetest.Kind)
	g, err := gateway.New(relay, zerolog.Nop(), enginetest.Kind)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Drain()
	defer http.DefaultClient.CloseIdleConnections()
	conf := func(weight int) []byte {
		return []byte(`{"__plugin_id":"p",` + weighted(`"algorithm":"lowest-usage"`, []int{weight, 100}, urls...)[1:])
	}
	open := func(weight int) *gateway.Access {
		a, err := g.Open(conf(weight))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	var current atomic.Pointer[gateway.Access]
	var lock sync.RWMutex // held while a request is on its way into the relay
	current.Store(open(100))
	total := 2000
	if testing.Short() {
		total = 400
	}
	var done atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for int(done.Add(1)) <= total {
				lock.RLock()
				resp, err := ask(g, context.Background(), current.Load().Header(nil), hello)
				lock.RUnlock()
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != 200 || string(body) != answerJSON {
					t.Errorf("%d %s %v", resp.StatusCode, body, err)
				}
			}
		})
	}
	reloads := 0
	for int(done.Load()) < total {
		next := open(100 + reloads%50)
		lock.Lock() // nobody is between the token and the relay
		old := current.Swap(next)
		lock.Unlock()
		old.Close()
		reloads++
		time.Sleep(2 * time.Millisecond)
	}
	wg.Wait()
	if reloads < 3 {
		t.Errorf("only %d reloads", reloads)
	}
	states := func() (prompt int64, n int) {
		relay.states.Each(func(_ string, s *balancer.State) { prompt, n = prompt+s.Snapshot().Prompt, n+1 })
		return prompt, n
	}
	await(func() bool { prompt, _ := states(); return prompt == int64(7*total) }) // counted after the last byte
	if prompt, n := states(); n != 2 || prompt != int64(7*total) {
		t.Errorf("%d targets have counted %d tokens; %d requests of 7 each, calls %v", n, prompt, total, calls(list))
	}
	t.Logf("%d requests through %d configurations", total, reloads)

	changed, err := relay.NewInstance([]byte(strings.Replace(string(conf(100)), `"name":"m1"`, `"name":"m9"`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	defer changed.Close()
	current.Load().Close()
	for i, want := range []bool{true, false} { // the second target is another one now
		s := relay.states.Use(changed.targets[i].Identity)
		given := s.Given()
		if kept := s.Snapshot().Prompt-given.Prompt > 0; kept != want {
			t.Errorf("target %d has kept its state: %v (%s)", i, kept, fmt.Sprint(s.Snapshot()))
		}
		relay.states.Release(changed.targets[i].Identity)
	}
}
