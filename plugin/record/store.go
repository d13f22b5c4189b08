package record

import (
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
	keepGiven      = 2 * time.Second // after it was sent to Kong, whose client may have left before it arrived
	maxRecords     = 100_000         // the oldest are dropped
	maxRecordBytes = 256 << 20       // of logged payloads
)

// Store holds the records that Kong's log phase may ask for, by the request's id:
// each until its request has ended, and then until Kong has it. It is safe for
// concurrent use.
type Store struct {
	mu      sync.Mutex
	byID    map[string]kept
	wanted  map[string]chan struct{} // closed when a record with the id comes
	settled queue                    // requests that are over
	given   queue                    // records that Kong was sent
	bytes   int                      // of the payloads of settled records
	number  uint64                   // of the record that was settled last
	dropped uint64                   // records that nobody asked for in time
	last    atomic.Uint64
}

type kept struct {
	*Record        // nil when Kong was sent it:
	line    []byte // it is this then, in JSON
	bytes   int    // 0 until it is settled
	number  uint64 // in the order of settling; 0 until then
}

// queue says which records are kept, in the order of their age. It holds none of them:
// most are gone long before it is their turn.
type queue []waiting

type waiting struct {
	id     string
	number uint64
	since  time.Time
}

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{byID: map[string]kept{}, wanted: map[string]chan struct{}{}}
}

// Reserve returns an id for a record to come.
func (s *Store) Reserve() string { return strconv.FormatUint(s.last.Add(1), 36) }

// Add stores the record of a request that begins.
func (s *Store) Add(id string, rec *Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(id) // Kong may send a request twice
	s.byID[id] = kept{Record: rec}
	if came := s.wanted[id]; came != nil {
		close(came)
		delete(s.wanted, id)
	}
	s.expire()
}

// Settle starts the time for which the record of a finished request is kept.
func (s *Store) Settle(id string, rec *Record) {
	size := rec.PayloadSize()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID[id].Record == rec {
		s.number++
		s.byID[id] = kept{Record: rec, bytes: size, number: s.number}
		s.bytes += size
		s.settled = append(s.settled, waiting{strings.Clone(id), s.number, time.Now()}) // id may be a part of the request's head
	}
	s.expire()
}

// Give keeps of a settled record only the line, in JSON, that was sent to Kong, and only
// for a short time. It keeps line itself.
func (s *Store) Give(id string, rec *Record, line []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.byID[id]; k.Record == rec {
		k.Record, k.line = nil, line
		s.byID[id] = k
		s.given = append(s.given, waiting{id, k.number, time.Now()})
	}
	s.expire()
}

// Dropped is how many records nobody asked for in time.
func (s *Store) Dropped() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped
}

// Take returns the record and forgets it; nil when there is none.
func (s *Store) Take(id string) *Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forget(id).Record
}

// Await is like Take, for a record whose request may be about to begin: Kong has
// sent it, but its client has already left. It waits at most for patience. For a
// record that Kong was sent it returns the line given then, and no record.
func (s *Store) Await(id string, patience time.Duration) (*Record, []byte) {
	s.mu.Lock()
	if k := s.forget(id); k.Record != nil || k.line != nil {
		s.mu.Unlock()
		return k.Record, k.line
	}
	came := s.wanted[id]
	if came == nil {
		came = make(chan struct{})
		s.wanted[id] = came
	}
	s.mu.Unlock()
	select {
	case <-came:
	case <-time.After(patience):
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.wanted, id)
	k := s.forget(id)
	return k.Record, k.line
}

// forget removes a record and returns it. The lock is held.
func (s *Store) forget(id string) kept {
	k := s.byID[id]
	s.bytes -= k.bytes
	delete(s.byID, id)
	return k
}

// expire removes records that nobody asked for in time, and the oldest when there
// are too many. The lock is held.
func (s *Store) expire() {
	now := time.Now()
	for len(s.given) > 0 && now.Sub(s.given[0].since) >= keepGiven {
		s.drop(&s.given) // Kong was sent it: nothing is lost
	}
	for len(s.settled) > 0 && (now.Sub(s.settled[0].since) >= keepRecord || len(s.settled) > maxRecords || s.bytes > maxRecordBytes) {
		if s.drop(&s.settled) {
			s.dropped++
		}
	}
}

// drop removes the oldest of q, and its record unless Kong has it already. It
// returns whether there was a record to remove.
func (s *Store) drop(q *queue) bool {
	oldest := (*q)[0]
	(*q)[0] = waiting{}
	*q = (*q)[1:]
	if s.byID[oldest.id].number != oldest.number {
		return false
	}
	s.forget(oldest.id)
	return true
}
