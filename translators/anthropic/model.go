package anthropic

import "strings"

// model is what a Claude model accepts. The zero value is for names that do not tell
// (an alias, a deployment): such a model is taken to accept everything and to think
// within a budget.
//
// From "Upgrade between model versions" and the pages "What's new in Claude …" below
// https://platform.claude.com/docs/en/about-claude/models.
type model struct {
	adaptive     bool // thinking.type adaptive and output_config.effort exist
	adaptiveOnly bool // budgets and sampling parameters are refused
	thinks       bool // it thinks unless told not to
	off          string
	oneSampler   bool // temperature and top_p exclude each other
	// noSchema: no structured outputs and no strict tools.
	// https://platform.claude.com/docs/en/build-with-claude/structured-outputs
	noSchema bool
	output   int // the most tokens that it writes, 0 if the name does not tell
}

// outputs are the most tokens of an answer, by family ("" for the others) and lowest
// version. The first row that fits holds.
// https://platform.claude.com/docs/en/about-claude/models/overview
var outputs = []struct {
	family string
	since  int
	tokens int
}{
	{"fable", 0, 128000},
	{"mythos", 0, 128000},
	{"opus", 406, 128000},
	{"sonnet", 406, 128000},
	{"haiku", 500, 128000},
	{"", 405, 64000},
	{"opus", 400, 32000},
	{"", 307, 64000},
	{"", 305, 8192},
	{"", 100, 4096},
}

// outputOf returns how many tokens a model writes at most, 0 if that is not known.
func outputOf(family string, version int) int {
	for _, o := range outputs {
		if (o.family == "" || o.family == family) && version >= o.since {
			return o.tokens
		}
	}
	return 0
}

// modelOf reads a model id in any of its spellings: claude-opus-4-7,
// us.anthropic.claude-opus-4-7-v1:0, claude-3-7-sonnet@20250219, claude-2.1.
func modelOf(name string) model {
	family, version := parseModel(name)
	if family == "" {
		return model{}
	}
	// All versions of Fable and Mythos are of the newest kind (mythos-preview has no
	// version).
	always := family == "fable" || family == "mythos"
	m := model{
		adaptive:     always || version >= 406,
		adaptiveOnly: always || version >= 407,
		thinks:       always || version >= 500,
		oneSampler:   always || version >= 401,
		noSchema:     !always && version < 405,
		output:       outputOf(family, version),
	}
	switch {
	case !m.thinks || always || family == "opus" && version >= 505:
	case family == "sonnet" && version >= 505:
		m.off = "between_tools"
	default:
		m.off = "disabled"
	}
	return m
}

// parseModel returns the family and the version as 100 × major + minor. The family is
// "" if the name is not a Claude model's.
func parseModel(name string) (family string, version int) {
	_, rest, ok := strings.Cut(name, "claude-")
	if !ok {
		return "", 0
	}
	family = "claude"
	numbers := 0
	for word := range strings.FieldsFuncSeq(rest, func(r rune) bool { return strings.ContainsRune("-.@_:", r) }) {
		switch word {
		case "opus", "sonnet", "haiku", "fable", "mythos", "instant":
			family = word
			continue
		}
		// Dates have eight digits, revisions are "v1".
		if n, ok := smallNumber(word); ok && numbers < 2 {
			numbers++
			if numbers == 1 {
				version = 100 * n
			} else {
				version += n
			}
		} else if numbers > 0 {
			numbers = 2
		}
	}
	return family, version
}

func smallNumber(s string) (int, bool) {
	if len(s) == 0 || len(s) > 2 {
		return 0, false
	}
	n := 0
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}
