package plugin

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
)

func TestConversationStaysAtOneTarget(t *testing.T) {
	list, urls := several(t, answer, answer, answer, answer)
	b := newBench(t, targetsConf(`"algorithm":"affinity"`, "", urls...), answer)
	for n := range 40 {
		before := calls(list)
		for range 3 {
			b.post(hello, "X-Session-Id", fmt.Sprint("s", n))
			rec := b.record()
			if at(rec, "meta.affinity_key") != "X-Session-Id" || at(rec, "meta.affinity") != "home" || at(rec, "meta.algorithm") != "affinity" {
				t.Fatalf("record %v", rec["meta"])
			}
		}
		moved := 0
		for i, n := range calls(list) {
			if n != before[i] {
				moved++
			}
		}
		if moved != 1 {
			t.Fatalf("one conversation went to %d targets", moved)
		}
	}
	for i, n := range calls(list) {
		if n == 0 {
			t.Errorf("target %d has no conversation", i)
		}
	}
}

func TestConversationGoesToTheNextTargetWhileItsOwnFails(t *testing.T) {
	var broken atomic.Bool
	sick := func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() {
			status(503)(w, r)
			return
		}
		answer(w, r)
	}
	list, urls := several(t, sick, answer, answer)
	b := newBench(t, targetsConf(`"algorithm":"affinity","retries":2,"failover_criteria":["http_503","non_idempotent"]`, "", urls...), answer)
	session := ""
	for n := 0; session == ""; n++ {
		before := calls(list)[0]
		b.post(hello, "X-Session-Id", fmt.Sprint(n))
		b.record()
		if calls(list)[0] > before {
			session = fmt.Sprint(n)
		}
	}
	for _, c := range []struct {
		broken bool
		want   string
	}{{true, "unavailable"}, {false, "home"}} {
		broken.Store(c.broken)
		for range 2 {
			if resp, _ := b.post(hello, "X-Session-Id", session); resp.StatusCode != 200 {
				t.Errorf("status %d", resp.StatusCode)
			}
			if rec := b.record(); at(rec, "meta.affinity") != c.want {
				t.Errorf("broken: %v: affinity %v, want %s", c.broken, at(rec, "meta.affinity"), c.want)
			}
		}
	}
}

func TestOtherAlgorithmsRecordNoAffinity(t *testing.T) {
	_, urls := several(t, answer, answer)
	b := newBench(t, targetsConf(`"algorithm":"round-robin"`, "", urls...), answer)
	b.post(hello, "X-Session-Id", "s")
	if rec := b.record(); at(rec, "meta.affinity") != nil || at(rec, "meta.affinity_key") != nil {
		t.Errorf("record %v", rec["meta"])
	}
}
