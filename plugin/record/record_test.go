package record

import (
	"testing"
	"time"
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
	case <-time.After(5 * time.Second):
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
