package plugin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/cespare/xxhash/v2"
)

// account is a mock of one account at a provider that caches the beginnings of prompts,
// as OpenAI does: by itself, in steps of 128 tokens from 1024 on. Four bytes are a token.
// https://platform.openai.com/docs/guides/prompt-caching
type account struct {
	mu    sync.Mutex
	seen  map[uint64]bool // hashes of beginnings
	calls int
}

const (
	tokenBytes = 4
	cacheStep  = 128
	cacheLeast = 1024
)

// cached returns how many of a prompt's tokens are in the cache, and caches the others.
func (a *account) cached(prompt []byte) (cached int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls++
	var h xxhash.Digest
	h.Reset()
	for n := cacheStep; n*tokenBytes <= len(prompt); n += cacheStep {
		_, _ = h.Write(prompt[(n-cacheStep)*tokenBytes : n*tokenBytes])
		if n < cacheLeast {
			continue
		}
		if sum := h.Sum64(); a.seen[sum] {
			cached = n
		} else {
			a.seen[sum] = true
		}
	}
	return cached
}

func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Tools    json.RawMessage   `json:"tools"`
		Messages []json.RawMessage `json:"messages"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	prompt := body.Tools
	for _, m := range body.Messages {
		prompt = append(prompt, m...)
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"choices":[{"index":0,"message":{"role":"assistant","content":"done"},"finish_reason":"stop"}],
		"usage":{"prompt_tokens":%d,"completion_tokens":10,"prompt_tokens_details":{"cached_tokens":%d}}}`, len(prompt)/tokenBytes, a.cached(prompt))
}

// agentTurn is a request of an agent: its tools and system prompt, which all
// conversations of its kind share, and the turns so far.
func agentTurn(kind, conversation, turn int) string {
	var b strings.Builder
	filler := func(name string, tokens int) string {
		return name + strings.Repeat(" lorem ipsum", tokens*tokenBytes/12)
	}
	fmt.Fprintf(&b, `{"tools":[{"type":"function","function":{"name":"read","description":%q}}],"messages":[{"role":"system","content":%q}`,
		filler(fmt.Sprint("tools of ", kind), 3000), filler(fmt.Sprint("agent ", kind), 3000))
	for n := range turn + 1 {
		if n > 0 {
			fmt.Fprintf(&b, `,{"role":"assistant","content":"done"}`)
		}
		fmt.Fprintf(&b, `,{"role":"user","content":%q}`, filler(fmt.Sprintf("conversation %d, turn %d", conversation, n), 2000))
	}
	return b.String() + "]}"
}

// cacheFigures are what a load costs with an algorithm.
type cacheFigures struct {
	prompt, cached, cost float64
	most                 int // requests of one target
}

func (f cacheFigures) share() float64 { return f.cached / f.prompt }

// agentLoad sends 40 conversations of three agents, of ten turns each, through four
// accounts; eight conversations are under way at a time.
func agentLoad(t *testing.T, balancer string) (f cacheFigures) {
	const conversations, turns, prices = 40, 10, `"input_cost":2.5,"output_cost":10,"cache_read_cost":0.25`
	var urls []string
	accounts := make([]account, 4)
	for i := range accounts {
		accounts[i].seen = map[uint64]bool{}
		s := httptest.NewServer(&accounts[i])
		t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
		urls = append(urls, s.URL)
	}
	conf := strings.ReplaceAll(targetsConf(balancer, "", urls...), `"options":{`, `"options":{`+prices+`,`)
	b := newBench(t, conf, answer)
	var mu sync.Mutex
	next := make(chan int)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for c := range next {
				for turn := range turns {
					resp, text := b.post(agentTurn(c%3, c, turn), "X-Session-Id", fmt.Sprint("conversation-", c))
					if resp.StatusCode != http.StatusOK {
						t.Errorf("status %d: %.200s", resp.StatusCode, text)
					}
					rec := b.record()
					mu.Lock()
					f.prompt += at(rec, "usage.prompt_tokens").(float64)
					if n, ok := at(rec, "usage.prompt_tokens_details.cached_tokens").(float64); ok {
						f.cached += n
					}
					f.cost += at(rec, "usage.cost").(float64)
					mu.Unlock()
				}
			}
		})
	}
	for c := range conversations {
		next <- c
	}
	close(next)
	wg.Wait()
	for i := range accounts {
		f.most = max(f.most, accounts[i].calls)
	}
	return f
}

// TestAffinityKeepsPromptCachesWarm prints the figures of docs/affinity.md.
func TestAffinityKeepsPromptCachesWarm(t *testing.T) {
	if testing.Short() {
		t.Skip("sends 1200 large requests")
	}
	figures := map[string]cacheFigures{}
	t.Logf("| algorithm | prompt tokens cached | cost | busiest target's share |")
	for _, one := range [][2]string{
		{"round-robin", `"algorithm":"round-robin"`},
		{"affinity, bound 1.25", `"algorithm":"affinity"`},
		{"affinity, bound 2", `"algorithm":"affinity","affinity":{"bound":2}`},
	} {
		f := agentLoad(t, one[1])
		figures[one[0]] = f
		t.Logf("| %s | %.1f %% | %.2f | %.0f %% |", one[0], 100*f.share(), f.cost, 100*float64(f.most)/400)
	}
	robin, own := figures["round-robin"], figures["affinity, bound 2"]
	if robin.share() > .7 || own.share() < .8 || own.cost > .7*robin.cost {
		t.Errorf("affinity has %.2f of the tokens cached at a cost of %.2f, round-robin %.2f at %.2f", own.share(), own.cost, robin.share(), robin.cost)
	}
}
