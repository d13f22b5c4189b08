package balancer

import (
	"encoding/binary"
	"math"

	"github.com/cespare/xxhash/v2"
)

// hashing gives equal hashes to the same target: each target has a score made
// of its identity and the hash, over its weight, and the lowest wins (weighted
// rendezvous hashing). Shares are those of the weights, and when a target goes,
// only its own requests move. The ring of points that Kong has comes as close
// only with very many of them, which is why `slots` makes no difference here.
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
		// A uniform number in (0, 1): its logarithm is exponentially distributed,
		// and the minimum of such falls to each in proportion to its rate.
		u := (float64(mix(p.ids[i], r.Hash)>>11) + .5) / (1 << 53)
		if score := -math.Log(u) * all[i].inverse; score < least {
			best, least = i, score
		}
	}
	return best
}

// mix is a hash of two hashes.
func mix(a, b uint64) uint64 {
	var both [16]byte
	binary.LittleEndian.PutUint64(both[:8], a)
	binary.LittleEndian.PutUint64(both[8:], b)
	return xxhash.Sum64(both[:])
}

// Hash is the hash of a client's header value.
func Hash(value string) uint64 { return xxhash.Sum64String(value) }
