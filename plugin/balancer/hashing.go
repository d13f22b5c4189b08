package balancer

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// hashing sends equal hashes to the same target. A ring of slots, each owned by a
// target, has shares that are as close to the weights as its size allows. Weighted
// rendezvous hashing decides which slots a target owns and which target replaces one
// that is not available: each target has a score, computed from its identity, the
// hash and its weight, and the lowest score wins. So when a target is removed, only
// its own requests move, to the others in proportion to their weights.
type hashing struct {
	ids  []uint64 // by target; they do not depend on its place in the list
	ring []int32  // the target that owns each slot
}

// minSlots is the size of a smaller ring, as in Kong.
const minSlots = 1000

func newHashing(slots int, targets []Target) *hashing {
	p := &hashing{}
	for _, t := range targets {
		p.ids = append(p.ids, xxhash.Sum64String(t.ID))
	}
	open, left := make([]int, 0, len(targets)), quotas(max(slots, minSlots), targets)
	for i := range targets {
		open = append(open, i)
	}
	for len(open) > 0 {
		i := p.best(uint64(len(p.ring)), targets, open, anyTarget)
		p.ring = append(p.ring, int32(i))
		if left[i]--; left[i] == 0 {
			at, _ := slices.BinarySearch(open, i)
			open = slices.Delete(open, at, at+1)
		}
	}
	return p
}

// quotas distributes the slots by weight. Each target gets at least one, so the sum
// may be larger than slots.
func quotas(slots int, targets []Target) []int {
	total := 0
	for _, t := range targets {
		total += t.Weight
	}
	list, sum, given := make([]int, len(targets)), 0, 0
	for i, t := range targets {
		sum += t.Weight
		upTo := (slots*sum + total/2) / total
		list[i] = max(upTo-given, 1)
		given = upTo
	}
	return list
}

func (p *hashing) pick(r *Request, all []Target, from []int) int {
	owner := int(p.ring[r.Hash%uint64(len(p.ring))])
	if _, ok := slices.BinarySearch(from, owner); ok {
		return owner
	}
	return p.best(r.Hash, all, from, anyTarget)
}

// best returns the target with the lowest score of those that may be chosen.
func (p *hashing) best(hash uint64, all []Target, from []int, may func(int) bool) int {
	best, least := from[0], math.Inf(1)
	for _, i := range from {
		if !may(i) {
			continue
		}
		// u is uniform in (0, 1), so its logarithm is exponentially distributed. The
		// minimum of several such values falls to each in proportion to its rate.
		u := (float64(mix(p.ids[i], hash)>>11) + .5) / (1 << 53)
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
