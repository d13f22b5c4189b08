package tiny

import "testing"

func TestFits(t *testing.T) {
	for _, c := range []struct {
		n, limit int
		want     bool
	}{{0, 1, true}, {1, 3, true}, {5, 3, false}, {-1, 3, false}} { // no row has n at the limit
		if Fits(c.n, c.limit) != c.want {
			t.Errorf("%+v", c)
		}
	}
}
