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
