package balancer

import (
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// ring gives equal hashes to the same target. Each target has points on a ring
// in proportion to its weight; a request goes to the first available target
// at or after its hash. When a target goes, only its own requests move.
type ring struct{ points []point }

type point struct {
	at     uint64
	target int
}

// newRing places about `slots` points. Where a target's points lie depends on
// its identity only, not on its place in the list.
func newRing(slots int, targets []Target) *ring {
	total := 0
	for _, t := range targets {
		total += t.Weight
	}
	r := &ring{}
	for i, t := range targets {
		id := xxhash.Sum64String(t.ID)
		for n := range max(1, slots*t.Weight/max(total, 1)) {
			var seed [16]byte
			binary.LittleEndian.PutUint64(seed[:8], id)
			binary.LittleEndian.PutUint64(seed[8:], uint64(n))
			r.points = append(r.points, point{xxhash.Sum64(seed[:]), i})
		}
	}
	slices.SortFunc(r.points, func(a, b point) int {
		if a.at < b.at {
			return -1
		}
		return 1
	})
	return r
}

func (p *ring) pick(r *Request, _ []Target, from []int) int {
	start, _ := slices.BinarySearchFunc(p.points, r.Hash, func(x point, h uint64) int {
		switch {
		case x.at < h:
			return -1
		case x.at > h:
			return 1
		}
		return 0
	})
	for n := range p.points {
		t := p.points[(start+n)%len(p.points)].target
		if _, ok := slices.BinarySearch(from, t); ok {
			return t
		}
	}
	return from[0]
}

// Hash is the hash of a client's header value.
func Hash(value string) uint64 { return xxhash.Sum64String(value) }
