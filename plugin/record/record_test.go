package record

import (
	"testing"
	"testing/synctest"
	"time"

	"go-ai-proxy/translators/chat"
)

// A panic while a record is written must leave it usable, and settled.
func TestPanicUnderARecordsLockReleasesIt(t *testing.T) {
	rec := begun()
	func() {
		defer func() { _ = recover() }()
		rec.Update(func(*Data) { panic("a defect") })
	}()
	done := make(chan struct{})
	go func() {
		defer close(done)
		rec.Settle(Panicked, "internal error", nil)
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("the record is locked for good")
	}
}

func TestRecordIsUnlockedAfterAPanicWhileItIsSet(t *testing.T) {
	r := &Record{}
	func() {
		defer func() { _ = recover() }()
		r.Update(func(*Data) { panic("a defect") })
	}()
	if !r.mu.TryLock() {
		t.Fatal("the record is locked for ever")
	}
	r.mu.Unlock()
}

func TestARecordIsUnlockedAfterEachUse(t *testing.T) {
	r := begun()
	for name, use := range map[string]func(){
		"Update":      func() { r.Update(func(*Data) {}) },
		"Data":        func() { r.Data() },
		"Outcome":     func() { r.Outcome() },
		"Append":      func() { r.Append(nil) },
		"PayloadSize": func() { r.PayloadSize() },
		"Settle":      func() { r.Settle(Completed, "", nil) },
	} {
		use()
		if !r.mu.TryLock() {
			t.Fatalf("%s leaves it locked", name)
		}
		r.mu.Unlock()
	}
}

func TestARecordHasRoomForOneAttempt(t *testing.T) {
	if d := New(Data{}).Data(); len(d.Tried) != 0 || cap(d.Tried) != 1 {
		t.Errorf("room for %d attempts", cap(d.Tried))
	}
	if d := New(Data{Tried: make([]Tried, 2)}).Data(); len(d.Tried) != 2 {
		t.Errorf("%d attempts are left of two", len(d.Tried))
	}
}

func TestAnEstimateReplacesWhatWasCounted(t *testing.T) {
	counted, estimate := chat.Usage{Prompt: 1, Completion: 2}, chat.Usage{Prompt: 3, Completion: 4}
	for _, given := range []*chat.Usage{nil, &estimate} {
		rec := New(Data{Usage: counted})
		rec.Settle(CutOff, "why", given)
		rec.Settle(CutOff, "why", &chat.Usage{}) // too late
		want := counted
		if given != nil {
			want = *given
		}
		if d := rec.Data(); d.Usage != want || d.Estimated != (given != nil) {
			t.Errorf("%+v %v, want %+v", d.Usage, d.Estimated, want)
		}
	}
}

func TestTheSizeOfARecordIsThatOfBothPayloads(t *testing.T) {
	rec := New(Data{Request: make([]byte, 2), Answer: make([]byte, 3)})
	if n := rec.PayloadSize(); n != 5 {
		t.Errorf("%d bytes", n)
	}
}

// A record that is asked for in the middle ends as one whose client has left,
// unless its request ends by itself in time.
func TestAnAbandonedRecordIsOfAClientThatLeft(t *testing.T) {
	const patience = 3 * time.Millisecond
	for _, c := range []struct {
		name      string
		ends      time.Duration // after its begin; 0 for never
		data      Data
		took      time.Duration // Abandon
		outcome   Outcome
		message   string
		tokens    int
		estimated bool
	}{
		{"never ends", 0, Data{}, patience, Aborted, MessageAborted, 0, false},
		{"has said something", 0, Data{Said: 9}, patience, Aborted, MessageAborted, 3, true},
		{"has said what was counted", 0, Data{Said: 9, Usage: chat.Usage{Completion: 7}}, patience, Aborted, MessageAborted, 7, false},
		{"was estimated before", 0, Data{Usage: chat.Usage{Completion: 7}, Estimated: true}, patience, Aborted, MessageAborted, 7, true},
		{"ends in time", time.Millisecond, Data{Said: 9}, time.Millisecond, Failed, "why", 0, false},
		{"ends too late", patience + 1, Data{Said: 9}, patience, Aborted, MessageAborted, 3, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.data.Started = time.Now()
				rec := New(c.data)
				rec.Watch()
				if c.ends > 0 {
					time.AfterFunc(c.ends, func() { rec.Settle(Failed, "why", nil) })
				}
				began := time.Now()
				rec.Abandon(patience)
				if took := time.Since(began); took != c.took {
					t.Errorf("it took %v, want %v", took, c.took)
				}
				time.Sleep(time.Second)
				began = time.Now()
				rec.Abandon(patience) // is over: nothing to wait for
				if took := time.Since(began); took != 0 {
					t.Errorf("it took %v the second time", took)
				}
				d := rec.Data()
				if d.Outcome != c.outcome || d.Message != c.message || d.Usage.Completion != c.tokens || d.Estimated != c.estimated || d.Latency != c.took {
					t.Errorf("%s %q, %d tokens (estimated: %v) in %v", d.Outcome, d.Message, d.Usage.Completion, d.Estimated, d.Latency)
				}
			})
		})
	}
}
