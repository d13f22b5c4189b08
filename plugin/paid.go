package plugin

import (
	"hash/maphash"
	"net/http"
	"strings"
	"sync"

	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
)

// reads says whether the request only asks for what another one has made, or
// ends it: what that cost was counted when it was made, or is counted once, see
// bills.
func (q *request) reads() bool {
	switch {
	case q.in.Method == http.MethodGet || q.in.Method == http.MethodHead || q.in.Method == http.MethodDelete:
		return q.in.Upgrade == nil || q.api.Body != provider.TakeSocket
	case q.api.Resources == nil:
		return false
	}
	return strings.HasSuffix(q.sub, "/cancel") || strings.HasSuffix(q.sub, "/stop")
}

// bills says whether the usage in the answer counts. That of a stored answer
// was counted when it was made. Where it is only known later (an answer in
// background mode, a run, a batch) it counts the first time that it is seen.
func (a *attempt) bills() bool {
	if a.family == "files" && strings.HasSuffix(a.sub, "/content") {
		a.seen.Stored, _ = openai.SplitID(a.sub)
	}
	if a.seen.Stored == "" {
		return !a.reads()
	}
	return a.seen.HasUsage && a.relay.paid.first(a.out.URL.Host, a.seen.Stored)
}

// maxPaid is how many ids each half of paid holds: a megabyte together.
const maxPaid = 32 << 10

// paid are the ids of what has been counted and can be read again, as hashes.
// It is bounded and this process's own: what is read again long after, or
// through another node, may be counted once more. It is safe for concurrent use.
type paid struct {
	mu       sync.Mutex
	seed     maphash.Seed
	new, old map[uint64]struct{}
}

// first says whether id at host has not been seen before.
func (p *paid) first(host, id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.new == nil {
		p.seed, p.new = maphash.MakeSeed(), map[uint64]struct{}{}
	}
	h := maphash.Comparable(p.seed, [2]string{host, id})
	_, known := p.new[h]
	if !known {
		_, known = p.old[h]
	}
	if len(p.new) >= maxPaid {
		p.old, p.new = p.new, map[uint64]struct{}{}
	}
	p.new[h] = struct{}{}
	return !known
}
