package config

import (
	"slices"
	"testing"
)

func TestAliasIsANameOrAPatternWithStars(t *testing.T) {
	for _, c := range []struct {
		alias, model string
		want         bool
	}{
		{"fast", "fast", true},
		{"fast", "faster", false},
		{"fast", "fas", false},
		{"claude-*", "claude-sonnet-4-5", true},
		{"claude-*", "claude-", true},
		{"claude-*", "a-claude-x", false},
		{"*-mini", "gpt-5-mini", true},
		{"*-mini", "gpt-5-mini-high", false},
		{"claude-*-4-5*", "claude-haiku-4-5-20251001", true},
		{"claude-*-4-5*", "claude-haiku-4", false},
		{"a*a", "a", false},
		{"a*b*c", "a-b-c", true},
		{"a*b*c", "a-c-b", false},
		{"*", "any", true},
		{"a.c", "abc", false},
		{"[ab]", "a", false},
	} {
		if got := MatchesAlias(c.alias, c.model); got != c.want {
			t.Errorf("%q for %q: %t", c.alias, c.model, got)
		}
	}
}

func TestAliasesAreSeparatedByCommas(t *testing.T) {
	m := Model{Alias: "claude-sonnet-4-5, claude-haiku-*"}
	if got := m.Aliases(); !slices.Equal(got, []string{"claude-sonnet-4-5", "claude-haiku-*"}) {
		t.Errorf("%q", got)
	}
	if got := (&Model{}).Aliases(); got != nil {
		t.Errorf("of no alias: %q", got)
	}
}
