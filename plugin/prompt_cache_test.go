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

// claudeAccount is a mock of an account at Anthropic: it caches what ends at a mark, and
// finds it up to 20 blocks before a mark of another request. Writing costs a quarter more.
// https://platform.claude.com/docs/en/build-with-claude/prompt-caching
type claudeAccount struct{ account }

// cached returns how many tokens of blocks are read from the cache and written to it.
func (a *claudeAccount) cached(blocks []string, marked []bool) (read, write int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls++
	sums, sizes := make([]uint64, len(blocks)), make([]int, len(blocks))
	var h xxhash.Digest
	h.Reset()
	size := 0
	for i, b := range blocks {
		_, _ = h.WriteString(b)
		size += len(b)
		sums[i], sizes[i] = h.Sum64(), size/tokenBytes
	}
	for i := range blocks {
		if !marked[i] || sizes[i] < cacheLeast {
			continue
		}
		for j := i; j >= max(0, i-20); j-- {
			if a.seen[sums[j]] {
				read = max(read, sizes[j])
				break
			}
		}
		write = sizes[i]
	}
	for i := range blocks {
		if marked[i] && sizes[i] >= cacheLeast {
			a.seen[sums[i]] = true
		}
	}
	return read, max(write-read, 0)
}

func (a *claudeAccount) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Tools    []map[string]any `json:"tools"`
		System   any              `json:"system"`
		Messages []struct {
			Content any `json:"content"`
		} `json:"messages"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var blocks []string
	var marked []bool
	size := 0
	add := func(v any) {
		block, ok := v.(map[string]any)
		if !ok {
			block = map[string]any{"type": "text", "text": v}
		}
		marked = append(marked, block["cache_control"] != nil)
		delete(block, "cache_control")
		b, _ := json.Marshal(block)
		blocks = append(blocks, string(b))
		size += len(b)
	}
	content := func(v any) {
		if list, ok := v.([]any); ok {
			for _, b := range list {
				add(b)
			}
		} else if v != nil {
			add(v)
		}
	}
	for _, t := range body.Tools {
		add(t)
	}
	content(body.System)
	for _, m := range body.Messages {
		content(m.Content)
	}
	read, write := a.cached(blocks, marked)
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"type":"message","role":"assistant","content":[{"type":"text","text":"done"}],"stop_reason":"end_turn",
		"usage":{"input_tokens":%d,"output_tokens":10,"cache_read_input_tokens":%d,"cache_creation_input_tokens":%d}}`, size/tokenBytes-read-write, read, write)
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
func agentLoad(t *testing.T, balancer, cache string, claude bool) (f cacheFigures) {
	const conversations, turns = 40, 10
	var urls []string
	accounts := make([]*account, 4)
	for i := range accounts {
		c := &claudeAccount{account{seen: map[uint64]bool{}}}
		accounts[i] = &c.account
		var h http.Handler = accounts[i]
		if claude {
			h = c
		}
		s := httptest.NewServer(h)
		t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
		urls = append(urls, s.URL)
	}
	prices := `"input_cost":2.5,"output_cost":10,"cache_read_cost":0.25,"cache_write_cost":3.125`
	conf := strings.ReplaceAll(targetsConf(balancer, cache, urls...), `"options":{`, `"options":{`+prices+`,`)
	if claude {
		conf = strings.NewReplacer(`"provider":"openai","name":"m`, `"provider":"anthropic","name":"claude-sonnet-4-5-m`, `/v1"`, `/v1/messages"`).Replace(conf)
	}
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
		t.Skip("sends 2400 large requests")
	}
	figures := map[string]cacheFigures{}
	t.Logf("| algorithm | prompt tokens cached | cost | busiest target's share |")
	for _, one := range []struct {
		name, balancer, cache string
		claude                bool
	}{
		{"round-robin", `"algorithm":"round-robin"`, "", false},
		{"affinity, bound 1.25", `"algorithm":"affinity"`, "", false},
		{"affinity, bound 2", `"algorithm":"affinity","affinity":{"bound":2}`, "", false},
		{"Claude, round-robin", `"algorithm":"round-robin"`, "", true},
		{"Claude, round-robin, cache.auto", `"algorithm":"round-robin"`, `"cache":{"auto":true},`, true},
		{"Claude, affinity, bound 2, cache.auto", `"algorithm":"affinity","affinity":{"bound":2}`, `"cache":{"auto":true},`, true},
	} {
		f := agentLoad(t, one.balancer, one.cache, one.claude)
		figures[one.name] = f
		t.Logf("| %s | %.1f %% | %.2f | %.0f %% |", one.name, 100*f.share(), f.cost, 100*float64(f.most)/400)
	}
	robin, own := figures["round-robin"], figures["affinity, bound 2"]
	if robin.share() > .7 || own.share() < .8 || own.cost > .7*robin.cost {
		t.Errorf("affinity has %.2f of the tokens cached at a cost of %.2f, round-robin %.2f at %.2f", own.share(), own.cost, robin.share(), robin.cost)
	}
	unasked, asked, kept := figures["Claude, round-robin"], figures["Claude, round-robin, cache.auto"], figures["Claude, affinity, bound 2, cache.auto"]
	if unasked.cached != 0 || asked.cost > unasked.cost || kept.share() < .8 || kept.cost > .7*asked.cost {
		t.Errorf("Claude: unasked %v, asked %v, kept %v", unasked, asked, kept)
	}
}
