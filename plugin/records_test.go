package plugin

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
)

// begun is a record of a request that is under way.
func begun() *Record {
	return &Record{outcome: Pending, started: time.Now(), settled: make(chan struct{})}
}

// ended settles a record that s knows.
func ended(s *records, id string, rec *Record) *Record {
	rec.set(func(r *Record) { r.settle(Completed, "") })
	s.settle(id, rec)
	return rec
}

func TestRecordsAreKeptAsLongAsTheyMayBeAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(s *records)
		kept    bool
	}{
		"under way for an hour": {func(s *records) {
			s.add("x", begun())
			time.Sleep(time.Hour)
		}, true},
		"over a moment ago, after an hour": {func(s *records) {
			rec := begun()
			s.add("x", rec)
			time.Sleep(time.Hour)
			ended(s, "x", rec)
		}, true},
		"over for less than a minute": {func(s *records) {
			rec := begun()
			s.add("x", rec)
			ended(s, "x", rec)
			time.Sleep(keepRecord - 1)
		}, true},
		"over for a minute": {func(s *records) {
			rec := begun()
			s.add("x", rec)
			ended(s, "x", rec)
			time.Sleep(keepRecord)
		}, false},
		"given a second ago": {func(s *records) {
			rec := begun()
			s.add("x", rec)
			s.give("x", ended(s, "x", rec))
			time.Sleep(time.Second)
		}, true},
		"given two seconds ago": {func(s *records) {
			rec := begun()
			s.add("x", rec)
			s.give("x", ended(s, "x", rec))
			time.Sleep(keepGiven)
		}, false},
		"taken": {func(s *records) {
			s.add("x", begun())
			s.take("x")
		}, false},
		"given, and sent again by Kong under the same id": {func(s *records) {
			rec := begun()
			s.add("x", rec)
			s.give("x", ended(s, "x", rec))
			s.add("x", begun())
			time.Sleep(time.Hour)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newRecords()
				c.happens(s)
				s.add("next", begun()) // which is when others expire
				if got := s.take("x") != nil; got != c.kept {
					t.Errorf("kept: %v, want %v", got, c.kept)
				}
				if s.take("x") != nil {
					t.Error("a record was taken twice")
				}
				if s.take("next") == nil {
					t.Error("another record is gone")
				}
			})
		})
	}
}

func TestOldestOfTooManyRecordsAreDropped(t *testing.T) {
	s := newRecords()
	settled := func() string {
		id := s.reserve()
		rec := begun()
		s.add(id, rec)
		ended(s, id, rec)
		return id
	}
	s.add("under way", begun())
	first, second := settled(), settled()
	for range maxRecords - 2 {
		settled()
	}
	if len(s.byID) != maxRecords+1 {
		t.Fatalf("%d records", len(s.byID))
	}
	settled()
	if s.byID[first].Record != nil || s.byID[second].Record == nil || s.byID["under way"].Record == nil {
		t.Error("not the oldest of the settled records was dropped")
	}
}

func TestOldestOfTooLargeRecordsAreDropped(t *testing.T) {
	s := newRecords()
	large := func(id string, n int) {
		rec := begun()
		rec.request = make([]byte, n/2)
		rec.answer = make([]byte, n/2)
		s.add(id, rec)
		ended(s, id, rec)
	}
	large("1", maxRecordBytes/2)
	large("2", maxRecordBytes/2)
	if s.bytes != maxRecordBytes || s.byID["1"].Record == nil {
		t.Fatalf("%d bytes, want %d", s.bytes, maxRecordBytes)
	}
	large("3", 2)
	if s.take("1") != nil || s.take("2") == nil || s.take("3") == nil {
		t.Error("not the oldest was dropped")
	}
	if s.bytes != 0 {
		t.Errorf("%d bytes of no record", s.bytes)
	}
}

func TestRecordIsAwaitedThatIsAboutToBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRecords()
		began := time.Now()
		if s.await("x", beginTime) != nil || time.Since(began) != beginTime {
			t.Errorf("one that does not come was awaited for %v", time.Since(began))
		}
		if len(s.wanted) != 0 {
			t.Error("it is wanted for ever")
		}
		rec := begun()
		began = time.Now()
		go func() {
			time.Sleep(time.Millisecond)
			s.add("x", rec)
		}()
		if s.await("x", beginTime) != rec || time.Since(began) != time.Millisecond {
			t.Errorf("one that comes was awaited for %v", time.Since(began))
		}
		if len(s.wanted) != 0 || len(s.byID) != 0 {
			t.Error("something is left of it")
		}
	})
}

func TestRecordThatIsAskedForSaysHowItsRequestEnded(t *testing.T) {
	for name, c := range map[string]struct {
		how     string
		settles time.Duration // after it is asked for
		outcome string
		took    time.Duration
	}{
		"the relay notices that the client has left": {"left", noticeTime - 1, "completed", noticeTime - 1},
		"and does not":             {"left", time.Hour, "client_aborted", noticeTime},
		"the relay is late to end": {"over", endTime - 1, "completed", endTime - 1},
		"and does not end":         {"over", time.Hour, "client_aborted", endTime},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newRecordSocket(newRecords(), nil, testLog)
				rec := begun()
				rec.logging.Statistics = true
				s.records.add("x", rec)
				go func() {
					time.Sleep(c.settles)
					ended(s.records, "x", rec)
				}()
				began := time.Now()
				got := recordIn(t, string(s.answer("x", c.how)), "x")
				if at(got, "meta.outcome") != c.outcome || time.Since(began) != c.took {
					t.Errorf("%v after %v, want %s after %v", got, time.Since(began), c.outcome, c.took)
				}
				time.Sleep(2 * time.Hour)
			})
		})
	}
}

// A panic while a record is written must leave it usable, and settled.
func TestPanicUnderARecordsLockReleasesIt(t *testing.T) {
	rec := begun()
	func() {
		defer func() { _ = recover() }()
		rec.set(func(*Record) { panic("a defect") })
	}()
	done := make(chan struct{})
	go func() {
		defer close(done)
		rec.set(func(r *Record) { r.settle(Panicked, "internal error") })
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("the record is locked for good")
	}
}

// The code that estimates reads what the client sent: when it panics, the record
// says so, and is not estimated once more.
func TestPanicOfAnEstimateIsRecordedOnce(t *testing.T) {
	rec := begun()
	rec.tried = []Tried{{Status: http.StatusOK}}
	estimates := 0
	q := &request{record: rec, seen: &chat.Seen{}, api: &provider.API{Prose: func([]jsonedit.Member) int {
		estimates++
		panic("a defect")
	}}}
	func() {
		defer func() { _ = recover() }()
		q.finish(Completed, "")
	}()
	if rec.outcome != Pending {
		t.Errorf("settled as %s before it was written", rec.outcome)
	}
	q.finish(Panicked, "internal error")
	q.finish(Completed, "")
	if rec.outcome != Panicked || estimates != 1 {
		t.Errorf("%s after %d estimates", rec.outcome, estimates)
	}
	select {
	case <-rec.settled:
	default:
		t.Error("who waits for the record waits for ever")
	}
}

func TestRecordGoesInTheHeaderUpToItsLimit(t *testing.T) {
	for size, header := range map[int]bool{maxRecordHeader: true, maxRecordHeader + 1: false} {
		rec := begun()
		rec.logging.Payloads, rec.answer = true, []byte("x")
		rec.answer = bytes.Repeat([]byte("x"), size-len(rec.Append(nil))+1)
		s := newRecordSocket(newRecords(), nil, testLog)
		f := &forKong{records: s.records, socket: s, shim: true, id: "r"}
		f.Begin(rec)
		h := http.Header{}
		ended(s.records, "r", rec)
		f.Settle(rec)
		f.Announce(h, rec)
		if got := h[headerRecord][0]; (got != "#r") != header {
			t.Errorf("%d bytes: %.20s…", size, got)
		}
	}
}

func TestRequestWithoutAnIDGetsOne(t *testing.T) {
	s := newRecordSocket(newRecords(), nil, testLog)
	rec := begun()
	f := &forKong{records: s.records, socket: s, shim: true}
	f.Begin(rec)
	h := http.Header{}
	f.Announce(h, rec)
	if id := strings.TrimPrefix(h[headerRecord][0], "#"); id == "" || s.records.take(id) != rec {
		t.Errorf("header %q", h)
	}
	f = &forKong{records: s.records, socket: s} // and none where nobody asks
	f.Begin(begun())
	f.Settle(rec)
	h = http.Header{}
	if f.Announce(h, rec); len(h) > 0 || len(s.records.byID) > 0 {
		t.Errorf("header %q, %d records", h, len(s.records.byID))
	}
}

func TestHeadersThatKongWouldRefuseAreDropped(t *testing.T) {
	kb := func(n int) []string { return []string{strings.Repeat("v", n<<10)} }
	for name, c := range map[string]struct {
		header http.Header
		gone   []string
	}{
		"all fit":                      {http.Header{"Content-Type": {"a"}, "X-A": kb(1), "X-B": kb(2)}, nil},
		"the largest unknown goes":     {http.Header{"X-A": kb(1), "X-B": kb(2), "X-C": kb(1), "Etag": kb(1)}, []string{"X-B"}},
		"unknown before known":         {http.Header{"X-A": kb(1), "Etag": kb(3)}, []string{"X-A"}},
		"known before essential":       {http.Header{"Etag": kb(1), "Content-Type": kb(3)}, []string{"Etag"}},
		"essential if there is no way": {http.Header{"Etag": {"x"}, "Content-Type": kb(5)}, []string{"Content-Type", "Etag"}},
		"one of many values":           {http.Header{"X-A": append(kb(2), kb(2)...), "X-B": kb(1)}, []string{"X-A"}},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(c.header)
			left, dropped := fit(c.header, maxHeader)
			size := 0
			for k, v := range c.header {
				size += headerSize(k, v)
			}
			if left != maxHeader-size || left < 0 || dropped != len(c.gone) || before-len(c.header) != dropped {
				t.Errorf("%d dropped, %d bytes left", dropped, left)
			}
			for _, name := range c.gone {
				if c.header[name] != nil {
					t.Errorf("%s is still there", name)
				}
			}
		})
	}
}

func TestHeadersOfExactlyTheLimitStay(t *testing.T) {
	h := http.Header{"X-A": {strings.Repeat("v", maxHeader-len("X-A: \r\n"))}}
	if left, dropped := fit(h, maxHeader); left != 0 || dropped != 0 {
		t.Errorf("%d left, %d dropped", left, dropped)
	}
	h.Set("X-A", h.Get("X-A")+"v")
	if left, dropped := fit(h, maxHeader); left != maxHeader || dropped != 1 {
		t.Errorf("%d left, %d dropped", left, dropped)
	}
}
