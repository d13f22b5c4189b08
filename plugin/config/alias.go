package config

import (
	"slices"
	"strings"
)

// anyText stands in an alias for any text, none included.
const anyText = "*"

// Aliases returns the names of a model_alias, which are separated by commas. Each is
// a model's name, or a pattern in which * stands for any text.
func (m *Model) Aliases() []string {
	if m.Alias == "" {
		return nil
	}
	names := strings.Split(m.Alias, ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	return names
}

// IsPattern says whether an alias is a pattern, not a name.
func IsPattern(alias string) bool { return strings.Contains(alias, anyText) }

// MatchesAlias says whether model is what an alias means: the name itself, or one that
// fits the pattern.
func MatchesAlias(alias, model string) bool {
	texts := strings.Split(alias, anyText)
	rest, ok := strings.CutPrefix(model, texts[0])
	if len(texts) == 1 || !ok {
		return ok && rest == ""
	}
	last := len(texts) - 1
	for _, text := range texts[1:last] {
		if _, rest, ok = strings.Cut(rest, text); !ok {
			return false
		}
	}
	return strings.HasSuffix(rest, texts[last])
}

// CompareAliases orders aliases: the more specific one, which has more text of its
// own, comes first. Of equal ones none does.
func CompareAliases(a, b string) int { return ownText(b) - ownText(a) }

func ownText(alias string) int { return len(alias) - strings.Count(alias, anyText) }

// aliases are refused that no client could use.
func (k *checker) alias(path string, m *Model) {
	field := path + ".model.model_alias"
	if strings.Contains(m.Alias, "$(") {
		k.fail(field, "cannot be a template: it is what the client's model is compared with")
	}
	if slices.Contains(m.Aliases(), "") {
		k.fail(field, "has an empty name between its commas: write it as in claude-sonnet-*,claude-opus-*")
	}
}
