package chat_test

import (
	"regexp"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
)

func TestCallIDsAreWhatTheProviderAccepts(t *testing.T) {
	alike := "call_" + strings.Repeat("a", 100)
	ids := []string{"", "call_same_beginning_1", "call_same_beginning_2", "a.b", "a_b", "ü", alike + "1", alike + "2", "abcdefghi", "12345678Z"}
	for pattern, accepts := range map[string]chat.CallIDs{
		`^[A-Za-z0-9]{9}$`:      {Exactly: 9},
		`^[A-Za-z0-9_-]{1,64}$`: {Prefix: "tooluse_", Longest: 64},
		`^[A-Za-z0-9_-]{1,10}$`: {Prefix: "id_", Longest: 10},
		`^[A-Za-z0-9_-]+$`:      {Prefix: "toolu_"},
	} {
		seen := map[string]string{}
		for n, id := range ids {
			got := accepts.Of(id, n)
			if !regexp.MustCompile(pattern).MatchString(got) {
				t.Errorf("%s became %s, which is not %s", id, got, pattern)
			}
			if before, again := seen[got]; again {
				t.Errorf("%s and %s both became %s", before, id, got)
			}
			seen[got] = id
			if id != "" && accepts.Of(id, n+7) != got || accepts.Of(got, 0) != got {
				t.Errorf("%s is not the same in another turn: %s", id, got)
			}
			if id != "" && regexp.MustCompile(pattern).MatchString(id) && got != id {
				t.Errorf("%s is accepted, and became %s", id, got)
			}
		}
	}
}
