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
		"given not quite two seconds ago": {func(s *Store) {
			rec := begun()
			s.Add("x", rec)
			s.Give("x", ended(s, "x", rec), []byte("{}"))
			time.Sleep(2*time.Second - 1)
		}, true},
		"given two seconds ago": {func(s *Store) {
			rec := begun()
			s.Add("x", rec)
			s.Give("x", ended(s, "x", rec), []byte("{}"))
			time.Sleep(2 * time.Second)
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

func TestOldestOfTooManyRecordsAreDropped(t *testing.T) {
	s := NewStore()
	settled := func() string {
		id := s.Reserve()
		rec := begun()
		s.Add(id, rec)
		ended(s, id, rec)
		return id
	}
	s.Add("under way", begun())
	first, second := settled(), settled()
	for range 100_000 - 2 {
		settled()
	}
	if len(s.byID) != 100_000+1 {
		t.Fatalf("%d records", len(s.byID))
	}
	settled()
	if s.byID[first].Record != nil || s.byID[second].Record == nil || s.byID["under way"].Record == nil {
		t.Error("not the oldest of the settled records was dropped")
	}
}

func TestOldestOfTooLargeRecordsAreDropped(t *testing.T) {
	const most = 256 << 20
	s := NewStore()
	large := func(id string, n int) {
		rec := begun()
		rec.data.Request = make([]byte, n/2)
		rec.data.Answer = make([]byte, n/2)
		s.Add(id, rec)
		ended(s, id, rec)
	}
	large("1", most/2)
	large("2", most/2)
	if s.bytes != most || s.byID["1"].Record == nil {
		t.Fatalf("%d bytes, want %d", s.bytes, most)
	}
	large("3", 2)
	if s.Take("1") != nil || s.Take("2") == nil || s.Take("3") == nil {
		t.Error("not the oldest was dropped")
	}
	if s.bytes != 0 {
		t.Errorf("%d bytes of no record", s.bytes)
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
		if len(s.wanted) != 0 {
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
		if len(s.wanted) != 0 || len(s.byID) != 0 {
			t.Error("something is left of it")
		}
	})
}

func TestWhatIsOverdueGoesWhenARecordIsGivenOrSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewStore()
		one, next := begun(), begun()
		s.Add("one", one)
		s.Add("next", next)
		s.Give("one", ended(s, "one", one), []byte("{}"))
		time.Sleep(2 * time.Second)
		ended(s, "next", next)
		if len(s.byID["one"].line) > 0 || s.byID["next"].Record == nil {
			t.Error("what was given stays when another is settled")
		}
		s.Give("next", next, []byte("{}"))
		time.Sleep(2 * time.Second)
		s.Give("other", one, []byte("{}"))
		if len(s.byID["next"].line) > 0 {
			t.Error("what was given stays when another is given")
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
		if got, _ := s.Await("x", time.Second); got != rec || time.Since(began) != 0 || len(s.byID)+len(s.wanted) != 0 {
			t.Errorf("it took %v, and %d and %d are left", time.Since(began), len(s.byID), len(s.wanted))
		}
		if !s.mu.TryLock() {
			t.Fatal("the store is locked for ever")
		}
		s.mu.Unlock()
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
	if s.bytes != 0 {
		t.Errorf("%d bytes of a record that is gone", s.bytes)
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
