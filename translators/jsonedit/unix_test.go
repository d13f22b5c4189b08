package jsonedit

import "testing"

func TestTimesAreReadAsUnixSeconds(t *testing.T) {
	p := Parsers.Get()
	defer Parsers.Put(p)
	v, err := p.Parse([]byte(`{"plain":"2026-11-28T19:05:00Z","fraction":"2026-11-28T20:05:00.123456789+01:00","words":"yesterday","number":7}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int64{"plain": 1795892700, "fraction": 1795892700, "words": 0, "number": 0, "absent": 0} {
		if got := Unix(v, name); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
}
