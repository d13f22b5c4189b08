package target

import "testing"

func TestNumbersOfTokensAreReadAsTheyAreWritten(t *testing.T) {
	for s, want := range map[string]int{"200000": 200000, "200k": 200000, "200K": 200000, "1m": 1e6, "1M": 1e6, " 7 ": 7, "0": 0, "0k": 0,
		"": -1, "k": -1, "-1": -1, "-1k": -1, "1g": -1, "1.5k": -1, "1kk": -1, "many": -1} {
		got, ok := ParseTokens(s)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %d %v", s, got, ok)
		}
	}
}
