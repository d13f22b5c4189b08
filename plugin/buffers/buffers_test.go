package buffers

import (
	"bytes"
	"io"
	"testing"

	"go-ai-proxy/translators/jsonedit"
)

func TestBorrowedBufferBelongsToOneRequestAtATime(t *testing.T) {
	a, b := &Set{}, &Set{}
	for _, n := range []int{0, 1, 2, 1000, 1024, 1025, maxBorrowed, maxBorrowed + 1} {
		one, other := a.Borrow(n), b.Borrow(n)
		if len(one) != n || len(other) != n {
			t.Fatalf("%d bytes: got %d and %d", n, len(one), len(other))
		}
		copy(one, bytes.Repeat([]byte("a"), n))
		copy(other, bytes.Repeat([]byte("b"), n))
		if bytes.IndexByte(one, 'b') >= 0 {
			t.Fatalf("%d bytes: two requests write to one buffer", n)
		}
	}
	a.GiveBack(nil)
	b.GiveBack(nil)
	if len(a.borrowed) != 0 {
		t.Errorf("%d buffers are not given back", len(a.borrowed))
	}
}

func TestOneBufferMayBeKept(t *testing.T) {
	s := &Set{}
	s.Borrow(100)
	body := s.Borrow(1000)
	s.Borrow(2000)
	s.GiveBack(body)
	if len(s.borrowed) != 1 || &(*s.borrowed[0])[0] != &body[0] {
		t.Fatalf("%d buffers are kept", len(s.borrowed))
	}
	s.GiveBack(nil)
	if len(s.borrowed) != 0 {
		t.Error("the body is not given back")
	}
}

// Members and edits of one attempt share their space; those of another have their own.
func TestPartsBelongToOneAttempt(t *testing.T) {
	a, b := &Set{}, &Set{}
	members := append(a.BorrowMembers(), jsonedit.Member{Start: 1})
	first, second, other := a.BorrowParts(), a.BorrowParts(), b.BorrowParts()
	if first == second || first == other || second == other {
		t.Fatal("two attempts share their edits")
	}
	if &first.members[0] != &members[0] {
		t.Error("the first attempt does not use what is there")
	}
	first.Pieces[0] = []byte("x")
	a.GiveBack(a.Borrow(10)) // the body of a stream
	if a.parts == nil || first.Pieces[0] == nil {
		t.Error("a stream's parts are gone before its end")
	}
	b.Take(a)
	if a.parts != nil || b.parts == nil {
		t.Error("what was taken over is still the other's")
	}
	b.GiveBack(nil)
	if b.parts != nil || first.Pieces[0] != nil || first.edited || members[0].Start != 0 {
		t.Error("parts that were given back keep what was in them")
	}
}

func TestLoggedBodiesAreNotBorrowed(t *testing.T) {
	s := &Set{Keeps: true}
	s.Borrow(1000)
	if len(s.borrowed) != 0 {
		t.Error("a payload that is logged lies in a borrowed buffer")
	}
}

// Whatever the pieces in which a body comes: it is read as it is, within its limit.
func TestBodyIsReadUnchanged(t *testing.T) {
	for _, n := range []int{0, 1, firstStep - 1, firstStep, firstStep + 1, 100_000, quickSteps * 16, 3 << 20} {
		body := bytes.Repeat([]byte("0123456789abcdefg"), n/17+1)[:n]
		for _, size := range []int64{int64(n), -1} {
			q := &Set{}
			for _, most := range []int64{0, int64(n), int64(n) + 1} {
				got, err := q.ReadAll(bytes.NewReader(body), size, most)
				if err != nil || !bytes.Equal(got, body) {
					t.Errorf("%d bytes, size %d, at most %d: %d bytes, %v", n, size, most, len(got), err)
				}
			}
			if n > 1 {
				if got, err := q.ReadAll(bytes.NewReader(body), size, int64(n)-1); err != ErrTooMuch || got != nil {
					t.Errorf("%d bytes, size %d, one more than allowed: %v", n, size, err)
				}
				if got, err := q.ReadAll(bytes.NewReader(body[:n-1]), int64(n), 0); err != io.ErrUnexpectedEOF || got != nil {
					t.Errorf("%d bytes, one missing: %v", n, err)
				}
			}
			q.GiveBack(nil)
		}
	}
}
