package anthropic

import (
	"fmt"
	"slices"
	"strings"

	"go-ai-proxy/translators/provider"
)

// model is a row of the table of Claude's models. The zero value is for names that do
// not tell (an alias, a deployment): such a model is taken to accept everything and to
// think within a budget.
type model struct {
	family string // in the name; "" for all
	since  int    // the lowest version, as 100 × major + minor
	output int    // the most tokens that it writes, 0 if the name does not tell

	thinks thinks
	always bool     // it thinks unless told not to
	off    string   // thinking.type that turns it off, "" for none
	levels []string // of output_config.effort, from the least on; none: there is no effort

	sampling sampling
	// unforced: tool_choice cannot be any or tool.
	unforced bool
	// userLast: the last message must be the user's.
	userLast bool
	// noSchema: no structured outputs and no strict tools.
	noSchema bool
	document string
}

// thinks is how a model is asked to think.
type thinks uint8

const (
	byBudget thinks = iota // thinking.type enabled, with budget_tokens
	byEither               // enabled or adaptive
	adaptive               // adaptive alone
	never                  // not at all
)

// sampling is what a model takes of temperature, top_p and top_k.
type sampling uint8

const (
	allSamplers sampling = iota
	oneSampler           // temperature and top_p exclude each other
	noSampler
)

var (
	fourLevels = []string{"low", "medium", "high", "max"}
	fiveLevels = []string{"low", "medium", "high", "xhigh", "max"}
)

// models are Claude's, newest first. The first row that has the family and no higher
// version counts, so that a model to come is taken for its family's newest.
var models = []model{
	{family: "fable", output: 128000, thinks: adaptive, always: true, levels: fiveLevels, sampling: noSampler, unforced: true, userLast: true, document: claudePage + "/fable-5-1/whats-new-fable-5-1"},
	{family: "mythos", output: 128000, thinks: adaptive, always: true, levels: fiveLevels, sampling: noSampler, unforced: true, userLast: true, document: claudePage + "/fable-5-1/whats-new-fable-5-1"},
	{family: "opus", since: 505, output: 128000, thinks: adaptive, always: true, levels: fiveLevels, sampling: noSampler, unforced: true, userLast: true, document: claudePage + "/opus-5-5/whats-new-opus-5-5"},
	{family: "sonnet", since: 505, output: 128000, thinks: adaptive, always: true, off: "between_tools", levels: fiveLevels, sampling: noSampler, unforced: true, userLast: true, document: claudePage + "/sonnet-5-5/whats-new-sonnet-5-5"},
	{since: 500, output: 128000, thinks: adaptive, always: true, off: "disabled", levels: fiveLevels, sampling: noSampler, userLast: true, document: claudePage + "/haiku-5-5/whats-new-haiku-5-5"},
	{since: 407, output: 128000, thinks: adaptive, levels: fiveLevels, sampling: noSampler, userLast: true, document: effortPage},
	{family: "sonnet", since: 406, output: 64000, thinks: byEither, levels: fourLevels, sampling: oneSampler, userLast: true, document: effortPage},
	{since: 406, output: 128000, thinks: byEither, levels: fourLevels, sampling: oneSampler, userLast: true, document: effortPage},
	{since: 405, output: 64000, sampling: oneSampler, document: schemaPage},
	{family: "opus", since: 401, output: 32000, sampling: oneSampler, noSchema: true, document: schemaPage},
	{family: "opus", since: 400, output: 32000, noSchema: true, document: schemaPage},
	{since: 307, output: 64000, noSchema: true, document: thinkingPage},
	{since: 305, output: 8192, thinks: never, noSchema: true, document: thinkingPage},
	{since: 0, output: 4096, thinks: never, noSchema: true, document: thinkingPage},
}

const (
	claudePage   = "https://platform.claude.com/docs/en/models"
	effortPage   = "https://platform.claude.com/docs/en/build-with-claude/effort"
	schemaPage   = "https://platform.claude.com/docs/en/build-with-claude/structured-outputs"
	thinkingPage = "https://platform.claude.com/docs/en/build-with-claude/extended-thinking"
	// pagesRead is when these were read last.
	pagesRead = "2026-11"
)

var unknown model

// modelOf reads a model id in any of its spellings: claude-opus-4-7,
// us.anthropic.claude-opus-4-7-v1:0, claude-3-7-sonnet@20250219, claude-2.1.
func modelOf(name string) *model {
	family, version := parseModel(name)
	if family == "" {
		return &unknown
	}
	for i := range models {
		if m := &models[i]; (m.family == "" || m.family == family) && version >= m.since {
			return m
		}
	}
	return &unknown
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

// Traits are what other platforms' formats must know of a Claude model.
type Traits struct {
	Unforced bool // it cannot be made to call a tool
	UserLast bool // the last message must be the user's
}

// TraitsOf returns the traits of a model, by its id in any spelling.
func TraitsOf(name string) Traits {
	m := modelOf(name)
	return Traits{Unforced: m.unforced, UserLast: m.userLast}
}

// facts returns the table of models as docs/models.md tells it.
func facts() []provider.Facts {
	rows := make([]provider.Facts, 0, len(models))
	for i := range models {
		rows = append(rows, models[i].facts())
	}
	return rows
}

func (m *model) facts() provider.Facts {
	f := provider.Facts{
		Names: "Claude", Example: "claude", Efforts: m.levels, EffortAt: []string{"output_config.effort"},
		Apart:    [][2]string{{"thinking.budget_tokens", "temperature"}, {"thinking.budget_tokens", "top_k"}},
		Document: m.document, Read: pagesRead,
	}
	if m.family != "" {
		f.Names += " " + strings.ToUpper(m.family[:1]) + m.family[1:]
		f.Example += "-" + m.family
	}
	if m.since > 0 {
		f.Names += fmt.Sprintf(" from %d.%d on", m.since/100, m.since%100)
		f.Example += fmt.Sprintf("-%d-%d", m.since/100, m.since%100)
	} else if m.family == "" {
		f.Names, f.Example = "Claude before", "claude-2.1"
	}
	switch m.thinks {
	case never:
		f.Without = append(f.Without, "thinking")
	case adaptive:
		f.Without = append(f.Without, "thinking.budget_tokens")
		f.Notes = append(f.Notes, "a budget of thinking is an effort")
	case byEither, byBudget:
	}
	if m.off != "" {
		f.Notes = append(f.Notes, "thinking is turned off by "+m.off)
	}
	switch m.sampling {
	case noSampler:
		f.Without = append(f.Without, "temperature", "top_p", "top_k")
	case oneSampler:
		f.Apart = append(f.Apart, [2]string{"temperature", "top_p"})
		f.Notes = append(f.Notes, "one of temperature and top_p")
	case allSamplers:
	}
	if m.unforced {
		f.Notes = append(f.Notes, "a call is demanded in words")
	}
	if m.userLast {
		f.Notes = append(f.Notes, "the user has the last word")
	}
	if m.noSchema {
		f.Without = append(f.Without, "output_config.format", "tools.*.strict")
		f.Notes = append(f.Notes, "a schema goes in words")
	}
	if m.levels == nil {
		f.Without = append(f.Without, "output_config.effort")
	}
	f.Notes = append(f.Notes, fmt.Sprintf("writes %d tokens at most", m.output))
	return f
}

// level returns the effort of the model for a wanted one: the highest that is no
// more, or else its lowest; "" if it has none.
func (m *model) level(wanted string) string {
	if len(m.levels) == 0 || wanted == "" || wanted == "none" {
		return ""
	}
	level := m.levels[0]
	for _, one := range m.levels {
		if slices.Index(fiveLevels, one) <= slices.Index(fiveLevels, wanted) {
			level = one
		}
	}
	return level
}
