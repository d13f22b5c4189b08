package balancer

import "slices"

// affinity sends equal hashes to the same target, as long as that has no more than its
// share of the requests under way: consistent hashing with bounded loads. A target has
// room while its requests, relative to its weight, are fewer than bound times the mean of
// the available targets, this request included. A request whose target has no room, or
// is not available, goes to the next one on the ring.
// https://arxiv.org/abs/1608.01350
//
// Nodes with the same targets have the same ring. Each bounds the load that it makes
// itself, so that they need not know of each other. Requests that choose at the same
// moment do not see each other, and may exceed the bound by their number.
type affinity struct {
	hashing *hashing
	bound   float64 // at least 1, so that some target always has room
}

// DefaultBound is the bound of a target's load if none is configured.
const DefaultBound = 1.25

func newAffinity(slots int, bound float64, targets []Target) *affinity {
	if bound < 1 {
		bound = DefaultBound
	}
	return &affinity{newHashing(slots, targets), bound}
}

func (p *affinity) pick(r *Request, all []Target, from []int) int {
	total, weight := int64(1), 0
	for _, i := range from {
		total += all[i].State.inflight.Load()
		weight += all[i].Weight
	}
	share := p.bound * float64(total) / float64(weight)
	hasRoom := func(i int) bool {
		return float64(all[i].State.inflight.Load()) < share*float64(all[i].Weight)
	}
	ring := p.hashing.ring
	at := int(r.Hash % uint64(len(ring)))
	for range steps(all) {
		i := int(ring[at])
		if hasRoom(i) && (len(from) == len(all) || contains(from, i)) {
			return i
		}
		if at++; at == len(ring) {
			at = 0
		}
	}
	return p.hashing.best(r.Hash, all, from, hasRoom)
}

// steps bounds the walk along the ring, which is long only if few light targets are
// left among many heavy ones.
func steps(all []Target) int { return 4*len(all) + 16 }

// home is the target that the request goes to if all its candidates are available and
// have room.
func (p *affinity) home(r *Request, all []Target) int {
	ring := p.hashing.ring
	at := int(r.Hash % uint64(len(ring)))
	for n := range steps(all) {
		if i := int(ring[(at+n)%len(ring)]); contains(r.Candidates, i) {
			return i
		}
	}
	return p.hashing.best(r.Hash, all, r.Candidates, anyTarget)
}

func contains(sorted []int, i int) bool {
	_, ok := slices.BinarySearch(sorted, i)
	return ok
}

func anyTarget(int) bool { return true }

// Placement says whether a request with affinity got the target that its hash points
// to, and if not, why.
type Placement string

// The placements.
const (
	Home        Placement = "home"
	Busy        Placement = "busy"        // its own target has more than its share of the requests
	Unavailable Placement = "unavailable" // its own target failed, or is closed off or resting
)

// Placement returns how the choice of target i for r, the last one made, relates to the
// request's affinity; "" for other algorithms.
func (b *Balancer) Placement(r *Request, i int) Placement {
	p, ok := b.policy.(*affinity)
	if !ok {
		return ""
	}
	switch home := p.home(r, b.targets); {
	case home == i:
		return Home
	case contains(r.from, home):
		return Busy
	}
	return Unavailable
}
