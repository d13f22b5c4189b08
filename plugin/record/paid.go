package record

import (
	"hash/maphash"
	"sync"
)

// maxPaid is how many ids each half of Paid holds: a megabyte together.
const maxPaid = 32 << 10

// Paid holds, as hashes, the ids of what this process has counted and can be read again.
// It is bounded: without Redis (see cluster.Node.First), what is read again much later, or
// through another node, may be counted twice. Its zero value is empty, and it is safe for
// concurrent use.
type Paid struct {
	mu       sync.Mutex
	seed     maphash.Seed
	new, old map[uint64]struct{}
}

// First says whether id at host has not been seen before.
func (p *Paid) First(host, id string) bool {
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
