package record

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"weak"
)

// begun is a record of a request that is under way.
func begun() *Record {
	rec := New(Data{Started: time.Now()})
	rec.Watch()
	return rec
}

// there says whether s has the record, or what Kong was sent of it, and takes it.
func there(s *Store, id string) bool {
	rec, line := s.Await(id, 0)
	return rec != nil || line != nil
}

// ended settles a record that s knows.
func ended(s *Store, id string, rec *Record) *Record {
	rec.Settle(Completed, "", nil)
	s.Settle(id, rec)
	return rec
}

func TestRecordsAreKeptAsLongAsTheyMayBeAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(s *Store)
		kept    bool
	}{
		"under way for an hour": {func(s *Store) {
			s.Add("x", begun())
			time.Sleep(time.Hour)
		}, true},
		"over a moment ago, after an hour": {func(s *Store) {
			rec := begun()
			s.Add("x", rec)
			time.Sleep(time.Hour)
			ended(s, "x", rec)
		}, true},
		"over for less than a minute": {func(s *Store) {
			rec := begun()
			s.Add("x", rec)
			ended(s, "x", rec)
			time.Sleep(time.Minute - 1)
		}, true},
		"over for a minute": {func(s *Store) {
			rec := begun()
			s.Add("x", rec)
			ended(s, "x", rec)
			time.Sleep(time.Minute)
		}, false},
		"given a second ago": {func(s *Store) {
			rec := begun()
			s.Add("x", rec)
			s.Give("x", ended(s, "x", rec), []byte("{}"))
			time.Sleep(time.Second)
		}, true},
		"given not quite five seconds ago": {func(s *Store) {
			rec := begun()
			s.Add("x", rec)
			s.Give("x", ended(s, "x", rec), []byte("{}"))
			time.Sleep(keepGiven - 1)
		}, true},
		"given five seconds ago": {func(s *Store) {
			rec := begun()
			s.Add("x", rec)
			s.Give("x", ended(s, "x", rec), []byte("{}"))
			time.Sleep(keepGiven)
		}, false},
		"taken, and over after that": {func(s *Store) {
			rec := begun()
			s.Add("x", rec)
			s.Take("x")
			ended(s, "x", rec)
		}, false},
		"taken": {func(s *Store) {
			s.Add("x", begun())
			s.Take("x")
		}, false},
		"given, and sent again by Kong under the same id": {func(s *Store) {
			rec := begun()
			s.Add("x", rec)
			s.Give("x", ended(s, "x", rec), []byte("{}"))
			s.Add("x", begun())
			time.Sleep(time.Hour)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := NewStore()
				c.happens(s)
				s.Add("next", begun()) // which is when others expire
				if got := there(s, "x"); got != c.kept {
					t.Errorf("kept: %v, want %v", got, c.kept)
				}
				if there(s, "x") {
					t.Error("a record was taken twice")
				}
				if s.Take("next") == nil {
					t.Error("another record is gone")
				}
			})
		})
	}
}

// inOnePart returns n ids of the same part of s.
func inOnePart(s *Store, n int) []string {
	ids := []string{s.Reserve()}
	for len(ids) < n {
		if id := s.Reserve(); s.part(id) == s.part(ids[0]) {
			ids = append(ids, id)
		}
	}
	return ids
}

func TestOldestOfTooManyRecordsAreDropped(t *testing.T) {
	const most = 100_000 / parts
	s := NewStore()
	ids := inOnePart(s, most+2)
	p := s.part(ids[0])
	s.Add(ids[most+1], begun()) // under way
	for i, id := range ids[:most+1] {
		rec := begun()
		s.Add(id, rec)
		ended(s, id, rec)
		if i == most-1 && len(p.byID) != most+1 {
			t.Fatalf("%d records", len(p.byID))
		}
	}
	if p.byID[ids[0]] != nil || p.byID[ids[1]] == nil || p.byID[ids[most+1]] == nil || s.Dropped() != 1 {
		t.Error("not the oldest of the settled records was dropped")
	}
	s = NewStore() // what Kong has goes before what it may ask for
	ids = inOnePart(s, most+1)
	for i, id := range ids {
		rec := begun()
		s.Add(id, rec)
		ended(s, id, rec)
		if i == 1 {
			s.Give(id, rec, []byte("{}"))
		}
	}
	if s.Dropped() != 0 || s.Take(ids[0]) == nil || there(s, ids[1]) {
		t.Error("a record that Kong has not got was dropped")
	}
}

func TestOldestOfTooLargeRecordsAreDropped(t *testing.T) {
	const most = 256 << 20 / parts
	s := NewStore()
	ids := inOnePart(s, 4)
	p := s.part(ids[0])
	large := func(id string, n int) {
		rec := begun()
		rec.data.Request = make([]byte, n/2)
		rec.data.Answer = make([]byte, n/2)
		s.Add(id, rec)
		ended(s, id, rec)
	}
	large(ids[0], most/2)
	large(ids[1], most/2)
	if p.bytes != most || p.byID[ids[0]] == nil {
		t.Fatalf("%d bytes, want %d", p.bytes, most)
	}
	large(ids[2], 2)
	if s.Take(ids[0]) != nil || s.Take(ids[1]) == nil || s.Take(ids[2]) == nil {
		t.Error("not the oldest was dropped")
	}
	if p.bytes != 0 {
		t.Errorf("%d bytes of no record", p.bytes)
	}
	large(ids[3], 2*most)
	if s.Take(ids[3]) == nil {
		t.Error("a record that is larger than the bound was not kept although it is the only one")
	}
}

func TestRecordIsAwaitedThatIsAboutToBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const patience = 250 * time.Millisecond
		s := NewStore()
		began := time.Now()
		if got, _ := s.Await("x", patience); got != nil || time.Since(began) != patience {
			t.Errorf("one that does not come was awaited for %v", time.Since(began))
		}
		if len(s.part("x").wanted) != 0 {
			t.Error("it is wanted for ever")
		}
		rec := begun()
		began = time.Now()
		go func() {
			time.Sleep(time.Millisecond)
			s.Add("x", rec)
		}()
		if got, _ := s.Await("x", patience); got != rec || time.Since(began) != time.Millisecond {
			t.Errorf("one that comes was awaited for %v", time.Since(began))
		}
		if p := s.part("x"); len(p.wanted) != 0 || len(p.byID) != 0 {
			t.Error("something is left of it")
		}
	})
}

func TestWhatIsOverdueGoesWhenARecordIsGivenOrSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewStore()
		ids := inOnePart(s, 2)
		byID := s.part(ids[0]).byID
		one, next := begun(), begun()
		s.Add(ids[0], one)
		s.Add(ids[1], next)
		s.Give(ids[0], ended(s, ids[0], one), []byte("{}"))
		time.Sleep(keepGiven)
		ended(s, ids[1], next)
		if byID[ids[0]] != nil || byID[ids[1]] == nil {
			t.Error("what was given stays when another is settled")
		}
		s.Give(ids[1], next, []byte("{}"))
		time.Sleep(keepGiven)
		s.Give(ids[0], one, []byte("{}"))
		if byID[ids[1]] != nil {
			t.Error("what was given stays when another is given")
		}
	})
}

// A record that Kong has got is soon gone, with all that belongs to it: at thousands of
// requests a second, a minute of anything would be many megabytes.
func TestNothingIsLeftOfARecordThatKongGot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewStore()
		for range 1000 {
			id, rec := s.Reserve(), begun()
			s.Add(id, rec)
			s.Give(id, ended(s, id, rec), []byte("{}"))
		}
		time.Sleep(keepGiven)
		for i := range s.parts {
			p := &s.parts[i]
			s.expire(p)
			if len(p.byID)+p.given.n+p.settled.n+p.bytes != 0 || p.given.first != nil || p.settled.first != nil {
				t.Errorf("part %d: %d records, %d and %d wait", i, len(p.byID), p.given.n, p.settled.n)
			}
		}
		if s.Dropped() != 0 {
			t.Errorf("%d records are said to be lost", s.Dropped())
		}
	})
}

func TestIdsAreShortAndCount(t *testing.T) {
	s := NewStore()
	for range 35 {
		s.Reserve()
	}
	if id := s.Reserve(); id != "10" {
		t.Errorf("the 36th id is %q", id)
	}
}

func TestARecordThatIsThereIsNotAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewStore()
		rec, began := begun(), time.Now()
		s.Add("x", rec)
		if got, _ := s.Await("x", time.Second); got != rec || time.Since(began) != 0 || len(s.part("x").byID)+len(s.part("x").wanted) != 0 {
			t.Errorf("it took %v, and %d and %d are left", time.Since(began), len(s.part("x").byID), len(s.part("x").wanted))
		}
		if !s.part("x").mu.TryLock() {
			t.Fatal("the store is locked for ever")
		}
		s.part("x").mu.Unlock()
	})
}

// Kong may send a request twice, and soon after another.
func TestARecordThatComesTwiceEndsTheWaitOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewStore()
		var got *Record
		began := time.Now()
		go func() { got, _ = s.Await("x", time.Second) }()
		synctest.Wait()
		s.Add("x", begun())
		s.Add("x", begun())
		synctest.Wait()
		if got == nil || time.Since(began) != 0 {
			t.Errorf("%v after %v", got, time.Since(began))
		}
	})
}

func TestARecordThatIsReplacedHoldsNoBytes(t *testing.T) {
	s := NewStore()
	rec := begun()
	rec.data.Answer = make([]byte, 7)
	s.Add("x", rec)
	ended(s, "x", rec)
	s.Add("x", begun())
	if n := s.part("x").bytes; n != 0 {
		t.Errorf("%d bytes of a record that is gone", n)
	}
}

// Of a record that Kong was sent only the line is kept: under load the records of two
// seconds would be dozens of megabytes, and the collector would look through them all.
func TestRecordsThatKongHasAreNotHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewStore()
		rec := begun()
		s.Add("x", rec)
		s.Give("x", ended(s, "x", rec), []byte("{}"))
		held := weak.Make(rec)
		runtime.GC()
		if held.Value() != nil {
			t.Error("it is still in memory")
		}
		runtime.KeepAlive(s)
	})
}
