package test

import (
	"fmt"
	"go-ai-proxy/plugin/resp/redistest"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// metered is an upstream whose answers have as many tokens as the test says; or
// it fails.
type metered struct {
	*upstream
	asked, tokens atomic.Int32
	broken        atomic.Bool
}

func newMetered(t *testing.T) *metered {
	m := &metered{}
	m.upstream = newUpstream(t, answer{handler: func(w http.ResponseWriter, _ *http.Request) {
		m.asked.Add(1)
		if m.broken.Load() {
			http.Error(w, `{"error":{"message":"down"}}`, http.StatusInternalServerError)
			return
		}
		said := answer{body: strings.Replace(openAIAnswer, `"prompt_tokens":25,"completion_tokens":12,"total_tokens":37`,
			fmt.Sprintf(`"prompt_tokens":%[1]d,"completion_tokens":0,"total_tokens":%[1]d`, m.tokens.Load()), 1)}
		said.write(w)
	}})
	return m
}

// within waits until ok; in vain ends the test.
func within(t *testing.T, d time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(d); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", d, what)
		}
	}
}

// shared is a route whose plugin has an id: by it nodes know what is the same.
func shared(path, id string, balancer obj, ups ...*metered) obj {
	targets := list{}
	for _, u := range ups {
		targets = append(targets, there(chat(), u.URL))
	}
	r := on(path, obj{"balancer": with(balancer, "retries", 0), "targets": targets})
	r["plugins"].(list)[0].(obj)["id"] = id
	return r
}

// answered makes a request and returns whether it was answered well.
func answered(t *testing.T, g *gateway, path string) bool {
	t.Helper()
	resp, _ := post(t, g.url+path, chatBody)
	return resp.StatusCode == http.StatusOK
}

// goesTo says whether the node sends three requests in a row to u.
func goesTo(t *testing.T, g *gateway, path string, u *metered) func() bool {
	return func() bool {
		before := u.asked.Load()
		for range 3 {
			if !answered(t, g, path) {
				t.Fatal("not answered")
			}
		}
		return u.asked.Load() == before+3
	}
}

// TestTwoProcessesShareThroughRedis: what one process sees of targets the other
// goes by; without Redis each goes on alone; and when Redis is back, empty, they
// share again, and what happened meanwhile. A node learns of the other within a
// second, and tries Redis again every two.
func TestTwoProcessesShareThroughRedis(t *testing.T) {
	const news, retry = 20 * time.Second, 20 * time.Second // a busy machine's; it is a second, and two
	redis := redistest.New(t)
	failing, later, first, second := newMetered(t), newMetered(t), newMetered(t), newMetered(t)
	// A target that is closed off stays so until the test ends.
	breaker := obj{"max_fails": 2, "fail_timeout": 600000, "failover_criteria": list{"http_500"}}
	file := writeConfig(t, declare(
		shared("/failing", "6e7c40f6-ce96-48e4-a366-d109c169e445", breaker, failing),
		shared("/later", "6e7c40f6-ce96-48e4-a366-d109c169e446", breaker, later),
		shared("/usage", "6e7c40f6-ce96-48e4-a366-d109c169e447", obj{"algorithm": "lowest-usage"}, first, second),
	))
	env := []string{"GO_AI_PROXY_REDIS=" + redis.URL()}
	a, b := start(t, env, "-config", file), start(t, env, "-config", file)
	both := func(says string) func() bool {
		return func() bool {
			return strings.Contains(a.stderr.String(), says) && strings.Contains(b.stderr.String(), says)
		}
	}
	// closes has A see two failures. Then u answers again: whoever does not is the node.
	closes := func(path string, u *metered) {
		t.Helper()
		if !answered(t, b, path) {
			t.Fatal("B is not answered to begin with")
		}
		u.broken.Store(true)
		_, _ = answered(t, a, path), answered(t, a, path)
		u.broken.Store(false)
		within(t, news, "B leaves alone what failed for A", func() bool { return !answered(t, b, path) })
		asked := u.asked.Load()
		if answered(t, a, path) || answered(t, b, path) || u.asked.Load() != asked {
			t.Error("a target that is closed off is asked")
		}
	}
	// uses has A use tokens of u, of which B's own requests use none.
	uses := func(u *metered, tokens int32) {
		t.Helper()
		u.tokens.Store(tokens)
		before := u.asked.Load()
		within(t, news, "A uses the target", func() bool { return answered(t, a, "/usage") && u.asked.Load() > before })
		u.tokens.Store(0)
	}

	closes("/failing", failing)
	within(t, news, "of targets alike B takes the first", goesTo(t, b, "/usage", first))
	uses(first, 1000)
	within(t, news, "what A has used steers B", goesTo(t, b, "/usage", second))

	redis.Kill()
	within(t, retry, "the outage is noticed", both("Redis does not answer"))
	uses(second, 5000)
	within(t, news, "A goes by what it knows itself", goesTo(t, a, "/usage", first))
	within(t, news, "B goes by what it knew", goesTo(t, b, "/usage", second))
	if answered(t, a, "/failing") || answered(t, b, "/failing") {
		t.Error("without Redis a node forgets that a target is closed off")
	}

	redis.Start()
	within(t, retry, "they share again", both("Redis answers again"))
	within(t, news, "what A has used without Redis steers B", goesTo(t, b, "/usage", first))
	if answered(t, b, "/failing") {
		t.Error("an empty Redis opens a target that is closed off")
	}
	closes("/later", later)
}
