package record

import (
	"hash/maphash"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of the records that wait for Kong's log phase. They do not apply to the
// record of a request in progress.
const (
	keepRecord     = time.Minute     // after the request, for one that Kong must ask for
	keepGiven      = 5 * time.Second // after it was sent to Kong, whose client may have left before it arrived and whose worker may be busy
	maxRecords     = 100_000         // the oldest are dropped
	maxRecordBytes = 256 << 20       // of logged payloads
)

// Store holds the records that Kong's log phase may ask for, by the request's id:
// each until its request has ended, and then until Kong has it. It is safe for
// concurrent use.
type Store struct {
	parts   [parts]part
	seed    maphash.Seed
	dropped atomic.Uint64 // records that nobody asked for in time
	last    atomic.Uint64
}

// parts is into how many a store is divided, by ids: with one lock, requests at the same
// time would wait for each other. Each part has its share of the bounds.
const parts = 16

// part holds the records of some ids.
type part struct {
	mu      sync.Mutex
	byID    map[string]*kept
	wanted  map[string]chan struct{} // closed when a record with the id comes
	settled queue                    // records whose requests are over
	given   queue                    // records that Kong was sent
	bytes   int                      // of the payloads of settled and given records
}

type kept struct {
	*Record        // nil when Kong was sent it:
	line    []byte // it is this then, in JSON
	id      string
	bytes   int // 0 until it is settled

	in            *queue // nil until it is settled
	since         time.Time
	before, after *kept // in the queue
}

// queue is a list of records, the oldest first.
type queue struct {
	first, last *kept
	n           int
}

// add appends k, which is in no queue.
func (q *queue) add(k *kept) {
	k.in, k.since, k.before = q, time.Now(), q.last
	if q.last == nil {
		q.first = k
	} else {
		q.last.after = k
	}
	q.last = k
	q.n++
}

// leave takes k out of the queue that it is in.
func (k *kept) leave() {
	if k.in == nil {
		return
	}
	if k.before == nil {
		k.in.first = k.after
	} else {
		k.before.after = k.after
	}
	if k.after == nil {
		k.in.last = k.before
	} else {
		k.after.before = k.before
	}
	k.in.n--
	k.in, k.before, k.after = nil, nil, nil
}

// NewStore returns an empty store.
func NewStore() *Store {
	s := &Store{seed: maphash.MakeSeed()}
	for i := range s.parts {
		s.parts[i].byID, s.parts[i].wanted = map[string]*kept{}, map[string]chan struct{}{}
	}
	return s
}

func (s *Store) part(id string) *part { return &s.parts[maphash.String(s.seed, id)%parts] }

// Reserve returns an id for a record to come.
func (s *Store) Reserve() string { return strconv.FormatUint(s.last.Add(1), 36) }

// Add stores the record of a request that begins.
func (s *Store) Add(id string, rec *Record) {
	p := s.part(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(id)           // Kong may send a request twice
	id = strings.Clone(id) // it may be a part of the request's head
	p.byID[id] = &kept{Record: rec, id: id}
	if came := p.wanted[id]; came != nil {
		close(came)
		delete(p.wanted, id)
	}
	s.expire(p)
}

// Settle starts the time for which the record of a finished request is kept.
func (s *Store) Settle(id string, rec *Record) {
	size := rec.PayloadSize()
	p := s.part(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := p.byID[id]; k != nil && k.Record == rec {
		p.bytes += size - k.bytes
		k.bytes = size
		k.leave()
		p.settled.add(k)
	}
	s.expire(p)
}

// Give keeps of a settled record only the line, in JSON, that was sent to Kong, and only
// for a short time. It keeps line itself.
func (s *Store) Give(id string, rec *Record, line []byte) {
	p := s.part(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := p.byID[id]; k != nil && k.Record == rec {
		k.Record, k.line = nil, line
		k.leave()
		p.given.add(k)
	}
	s.expire(p)
}

// Dropped is how many records nobody asked for in time.
func (s *Store) Dropped() uint64 { return s.dropped.Load() }

// Take returns the record and forgets it; nil when there is none.
func (s *Store) Take(id string) *Record {
	p := s.part(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	s.expire(p)
	return p.forget(id).Record
}

// Await is like Take, for a record whose request may be about to begin: Kong has
// sent it, but its client has already left. It waits at most for patience. For a
// record that Kong was sent it returns the line given then, and no record.
func (s *Store) Await(id string, patience time.Duration) (*Record, []byte) {
	p := s.part(id)
	p.mu.Lock()
	s.expire(p)
	if k := p.forget(id); k.Record != nil || k.line != nil {
		p.mu.Unlock()
		return k.Record, k.line
	}
	came := p.wanted[id]
	if came == nil {
		came = make(chan struct{})
		p.wanted[id] = came
	}
	p.mu.Unlock()
	select {
	case <-came:
	case <-time.After(patience):
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.wanted, id)
	k := p.forget(id)
	return k.Record, k.line
}

// nothing is what forget returns when there is no record.
var nothing = &kept{}

// forget removes a record and returns it. The lock is held.
func (p *part) forget(id string) *kept {
	k := p.byID[id]
	if k == nil {
		return nothing
	}
	k.leave()
	p.bytes -= k.bytes
	delete(p.byID, id)
	return k
}

// expire removes records that nobody asked for in time, and the oldest when there
// are too many. The lock of p is held.
func (s *Store) expire(p *part) {
	now := time.Now()
	full := func() bool {
		return p.settled.n+p.given.n > maxRecords/parts || p.bytes > maxRecordBytes/parts && p.settled.n+p.given.n > 1
	}
	for k := p.given.first; k != nil && (now.Sub(k.since) >= keepGiven || full()); k = p.given.first {
		p.forget(k.id) // Kong was sent it: nothing is lost
	}
	for k := p.settled.first; k != nil && (now.Sub(k.since) >= keepRecord || full()); k = p.settled.first {
		p.forget(k.id)
		s.dropped.Add(1)
	}
}
