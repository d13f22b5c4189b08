package server

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go-ai-proxy/test/kong"
)

// ledger opens instances and counts those that live.
type ledger struct {
	mu     sync.Mutex
	opened int
	live   map[*int]bool
}

type page struct {
	plugin
	of   *ledger
	id   *int
	data []byte
}

func (l *ledger) open([]byte) Instance {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.live == nil {
		l.live = make(map[*int]bool)
	}
	l.opened++
	id := new(int)
	l.live[id] = true
	return &page{of: l, id: id, data: make([]byte, 64<<10)}
}

func (p *page) Close() {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	if !p.of.live[p.id] {
		panic("closed twice")
	}
	delete(p.of.live, p.id)
}

func (l *ledger) instances() *instances {
	return newInstances(l.open, Instance.Close, time.Minute, time.Hour)
}

func config(plugin string, seq int, value any) []byte {
	return fmt.Appendf(nil, `{"value":%q,"__plugin_id":%q,"__seq__":%d}`, fmt.Sprint(value), plugin, seq)
}

func TestWorkersShareOneInstanceOfTheSameConfiguration(t *testing.T) {
	l := &ledger{}
	in := l.instances()
	a := in.start(1, []byte(`{"x":1.5,"__plugin_id":"p","__seq__":1,"y":{"b":1,"a":[]}}`))
	b := in.start(2, []byte(`{"y":{"a":[],"b":1},"__seq__":2,"__plugin_id":"p","x":1.5}`))
	if a.id == b.id || a.shared != b.shared || l.opened != 1 {
		t.Errorf("ids %d and %d, %d opened", a.id, b.id, l.opened)
	}
	if other := in.start(2, []byte(`{"y":{"a":[],"b":1},"__plugin_id":"q","x":1.5}`)); other.shared == a.shared {
		t.Error("another plugin shares the instance")
	}
	in.close(a.id)
	in.sweep(time.Now().Add(2 * time.Minute))
	if in.status(a.id) != nil || in.status(b.id) == nil || len(l.live) != 2 {
		t.Errorf("after one worker closed it: %d live", len(l.live))
	}
}

func TestReplacedInstanceStaysForAWhile(t *testing.T) {
	l := &ledger{}
	in := l.instances()
	old := in.start(1, config("p", 1, "old"))
	elsewhere := in.start(2, config("p", 2, "old"))
	in.start(1, config("p", 3, "new"))
	now := time.Now()

	in.sweep(now.Add(59 * time.Second))
	if in.acquire(old.id) == nil {
		t.Fatal("gone before its grace was over")
	}
	in.sweep(now.Add(3 * time.Minute))
	if in.status(old.id) == nil {
		t.Fatal("gone while it handled an event")
	}
	in.release(old)
	in.sweep(time.Now().Add(3 * time.Minute))
	if in.status(old.id) != nil {
		t.Error("still there after its grace")
	}
	if in.status(elsewhere.id) == nil || len(l.live) != 2 {
		t.Error("the other worker's is gone, too")
	}
	in.close(elsewhere.id)
	in.close(elsewhere.id)
	in.sweep(time.Now().Add(2 * time.Minute))
	if len(l.live) != 1 {
		t.Errorf("%d live, want 1", len(l.live))
	}
	in.closeAll()
	if len(l.live) != 0 {
		t.Errorf("%d live at the end", len(l.live))
	}
}

func TestInstanceOfADeletedPluginGoesWhenIdle(t *testing.T) {
	l := &ledger{}
	in := l.instances()
	st := in.start(1, config("p", 1, ""))
	in.sweep(time.Now().Add(59 * time.Minute))
	if in.status(st.id) == nil {
		t.Fatal("gone too early")
	}
	in.sweep(time.Now().Add(61 * time.Minute))
	if in.status(st.id) != nil || len(l.live) != 0 {
		t.Error("never goes")
	}
}

// TestInstancesOfARemovedPluginGo: of all workers, after their grace, and no others.
func TestInstancesOfARemovedPluginGo(t *testing.T) {
	l := &ledger{}
	in := l.instances()
	gone := []*started{in.start(1, config("p", 1, "")), in.start(2, config("p", 2, ""))}
	kept := in.start(1, config("q", 3, ""))
	in.remove("p")
	in.remove("unknown")
	in.sweep(time.Now().Add(59 * time.Second))
	if in.status(gone[0].id) == nil {
		t.Error("gone while requests may have its id")
	}
	in.sweep(time.Now().Add(2 * time.Minute))
	if in.status(gone[0].id) != nil || in.status(gone[1].id) != nil || in.status(kept.id) == nil || len(l.live) != 1 {
		t.Errorf("%d instances are left", len(l.live))
	}
	if again := in.start(1, config("p", 4, "")); in.status(again.id) == nil {
		t.Error("a plugin that was added again is not served")
	}
}

// relaying is an instance that is used beside events.
type relaying struct {
	plugin
	last time.Time
}

func (r *relaying) LastUsed() time.Time { return r.last }

func TestInstanceInUseWithoutEventsIsNotIdle(t *testing.T) {
	closed := 0
	instance := &relaying{plugin: plugin{closed: func() { closed++ }}, last: time.Now().Add(time.Hour)}
	in := newInstances(func([]byte) Instance { return instance }, Instance.Close, time.Minute, time.Hour)
	in.start(1, config("p", 1, ""))
	in.sweep(time.Now().Add(119 * time.Minute))
	if closed != 0 {
		t.Fatal("closed in use")
	}
	in.sweep(time.Now().Add(121 * time.Minute))
	if closed != 1 {
		t.Errorf("closed %d times", closed)
	}
}

func TestUnknownWorkersDoNotReplaceEachOther(t *testing.T) {
	in := (&ledger{}).instances()
	a := in.start(0, config("p", 1, "same"))
	b := in.start(0, config("p", 2, "same"))
	c := in.start(0, config("p", 3, "other"))
	if a.retired || !b.retired || c.retired {
		t.Errorf("replaced: %v %v %v, want the last of the old configuration only", a.retired, b.retired, c.retired)
	}
}

func TestIdsOfTwoProcessesDiffer(t *testing.T) {
	seen := make(map[int32]bool)
	for range 20 {
		in := (&ledger{}).instances()
		id := in.start(1, config("p", 1, "")).id
		if id <= 0 || seen[id] {
			t.Fatalf("id %d", id)
		}
		seen[id] = true
	}
	in := (&ledger{}).instances()
	in.nextID = 1<<31 - 1
	first, second := in.start(1, config("p", 1, "")), in.start(1, config("q", 1, ""))
	if first.id != 1<<31-1 || second.id != 1 {
		t.Errorf("ids %d, %d", first.id, second.id)
	}
}

func TestTenThousandConfigurationsLeaveNothingBehind(t *testing.T) {
	for name, closes := range map[string]bool{"closed by Kong": true, "replaced only": false} {
		t.Run(name, func(t *testing.T) {
			l := &ledger{}
			r := serve(t, &Server{New: func(config []byte) (Instance, error) { return l.open(config), nil }})
			before := heap()
			for seq := range 10_000 {
				conf := kong.Conf{"__plugin_id": "p", "__seq__": seq, "value": seq}
				if !closes {
					r.worker.Forget()
				}
				if _, e := access(r, conf); e.Err != nil || e.Starts != 1 {
					t.Fatalf("change %d: %+v", seq, e)
				}
			}
			l.mu.Lock()
			live, opened := len(l.live), l.opened
			l.mu.Unlock()
			if opened != 10_000 || live > maxRetired+1 {
				t.Errorf("%d of %d instances live, want at most %d", live, opened, maxRetired+1)
			}
			// 64 KiB each.
			if grown := heap() - before; grown > 2*maxRetired*64<<10 {
				t.Errorf("heap grew by %d KiB", grown>>10)
			}
			r.instances.sweep(time.Now().Add(2 * time.Minute))
			if grown := heap() - before; grown > 2<<20 {
				t.Errorf("heap grew by %d KiB after the grace", grown>>10)
			}
			if n := len(r.instances.byID) + len(r.instances.shared) + len(r.instances.current); n != 3 {
				t.Errorf("%d entries are left, want 3", n)
			}
			if strings.Contains(r.log.String(), "panic") {
				t.Error(r.log.String())
			}
		})
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestStartsEventsAndSweepsAtOnce(t *testing.T) {
	l := &ledger{}
	in := newInstances(l.open, Instance.Close, 0, 0)
	var wg sync.WaitGroup
	for worker := 1; worker <= 4; worker++ {
		wg.Go(func() {
			for i := range 200 {
				st := in.start(worker, config("p", i, i%3))
				if got := in.acquire(st.id); got != nil {
					in.release(got)
				}
				in.sweep(time.Now().Add(time.Second))
				if i%2 == 0 {
					in.close(st.id)
				}
			}
		})
	}
	wg.Wait()
	in.closeAll()
	if len(l.live) != 0 {
		t.Errorf("%d live at the end", len(l.live))
	}
}
