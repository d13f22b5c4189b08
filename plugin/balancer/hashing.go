package balancer

import (
	"encoding/binary"
	"math"

	"github.com/cespare/xxhash/v2"
)

// hashing sends equal hashes to the same target. Each target has a score, computed
// from its identity, the hash and its weight, and the lowest score wins (weighted
// rendezvous hashing). Shares equal the weights, and when a target is removed only
// its own requests move. Kong's ring of points is only as accurate with very many
// points, so `slots` makes no difference here.
type hashing struct{ ids []uint64 } // by target; they do not depend on its place in the list

func newHashing(targets []Target) *hashing {
	p := &hashing{}
	for _, t := range targets {
		p.ids = append(p.ids, xxhash.Sum64String(t.ID))
	}
	return p
}

func (p *hashing) pick(r *Request, all []Target, from []int) int {
	best, least := from[0], math.Inf(1)
	for _, i := range from {
		// u is uniform in (0, 1), so its logarithm is exponentially distributed. The
		// minimum of several such values falls to each in proportion to its rate.
		u := (float64(mix(p.ids[i], r.Hash)>>11) + .5) / (1 << 53)
		if score := -math.Log(u) * all[i].inverse; score < least {
			best, least = i, score
		}
	}
	return best
}

// mix returns a hash of two hashes.
func mix(a, b uint64) uint64 {
	var both [16]byte
	binary.LittleEndian.PutUint64(both[:8], a)
	binary.LittleEndian.PutUint64(both[8:], b)
	return xxhash.Sum64(both[:])
}

// Hash returns the hash of a client's header value.
func Hash(value string) uint64 { return xxhash.Sum64String(value) }
