package record

import (
	"strconv"
	"testing"
)

func TestIdsThatWerePaidAreBoundedAndPerHost(t *testing.T) {
	var p Paid
	if !p.First("a", "resp_1") || p.First("a", "resp_1") || !p.First("b", "resp_1") || p.First("b", "resp_1") {
		t.Error("an id is new once for each host")
	}
	for i := range 10 * maxPaid {
		p.First("a", strconv.Itoa(i))
	}
	if n := len(p.new) + len(p.old); n > 2*maxPaid {
		t.Errorf("%d ids are held, want %d at most", n, 2*maxPaid)
	}
	if p.First("a", strconv.Itoa(10*maxPaid-1)) {
		t.Error("the latest id is forgotten")
	}
}

// An id is known until as many others have come as a half holds.
func TestIdsThatWerePaidAreKnownForAHalf(t *testing.T) {
	const half = 32_768
	var p Paid
	for i := range half {
		p.First("a", strconv.Itoa(i))
	}
	if len(p.new) != half || len(p.old) != 0 {
		t.Errorf("%d and %d ids, want one full half", len(p.new), len(p.old))
	}
	if p.First("a", "0") || len(p.new) != 1 || len(p.old) != half {
		t.Errorf("%d and %d ids, want one in a new half; it was known", len(p.new), len(p.old))
	}
	if p.First("a", "1") {
		t.Error("an id of the old half is forgotten")
	}
	if !p.First("a", "new") {
		t.Error("an id is known that never came")
	}
}
