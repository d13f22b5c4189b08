package provider

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go-ai-proxy/translators/chat"
)

// Facts is a row of a provider's table of models, as docs/models.md tells it. That
// nothing of what it forbids is sent is checked by a test, for all rows.
type Facts struct {
	Names   string // the names of the models, in words
	Example string // a name that the row is for
	// Efforts are the values that the members at EffortAt may have. Paths are dotted;
	// "*" is any element or member.
	Efforts  []string
	EffortAt []string
	Without  []string    // paths of members that the models refuse
	Lacks    []string    // the same in words, where the paths are many
	Apart    [][2]string // paths of members that exclude each other
	Notes    []string    // what else is done for the models
	Document string      // where it is written
	Read     string      // when that was read last, as year and month; "" if that was not noted
}

// Table returns what is known of the models that the operation's Chat asks, nil for
// nothing.
func (o *Operation) Table() []Facts {
	if o.Models != nil {
		return o.Models()
	}
	return append(o.Edit.Models.Facts(), o.Edit.Hosting.Facts()...)
}

// Facts returns the table as docs/models.md tells it.
func (m Families) Facts() []Facts {
	rows := make([]Facts, 0, len(m))
	for i := range m {
		f := &m[i]
		row := Facts{
			Names: "all others", Example: "a-model-to-come", Efforts: f.Efforts, EffortAt: []string{"reasoning_effort", "reasoning.effort"},
			Without: slices.Clone(f.Refuses), Document: f.Document, Read: f.Read,
		}
		if f.Prefix != "" {
			row.Names, row.Example = prefixInWords(f.Prefix)
		}
		if f.Limit != "" {
			row.Notes = append(row.Notes, "max_tokens is "+f.Limit)
		}
		if f.Output > 0 {
			row.Notes = append(row.Notes, fmt.Sprintf("writes %d tokens at most", f.Output))
		}
		if f.QuietTools {
			row.Notes = append(row.Notes, "functions with effort none only, or in the Responses API")
		}
		if f.OnlyResponses {
			row.Notes = append(row.Notes, "only in the Responses API")
		}
		var tools []string
		if f.SearchesInResponses() {
			tools = append(tools, string(chat.WebSearch))
		}
		for _, kind := range slices.Sorted(maps.Keys(f.Runs)) {
			tools = append(tools, string(kind))
		}
		if tools != nil {
			row.Notes = append(row.Notes, strings.Join(tools, ", ")+" in the Responses API")
		}
		if f.Thinking != nil {
			row.Notes = append(row.Notes, "Anthropic's thinking")
		}
		if f.NoSchema {
			row.Notes = append(row.Notes, "a schema goes in words")
		}
		if f.Blind {
			row.Notes = append(row.Notes, "images are left out")
		}
		if f.ThinksInStreams {
			row.Notes = append(row.Notes, "thinks in streams only")
		}
		if f.Unforced {
			row.Notes = append(row.Notes, "a call is demanded without thinking, or in words")
		}
		rows = append(rows, row)
	}
	return rows
}

// prefixInWords returns the beginning of models' names for docs/models.md, and a name
// that has it. A dash at its end is of names that end there, too.
func prefixInWords(prefix string) (words, example string) {
	if last := len(prefix) - 1; prefix[last] == '-' {
		return "`" + prefix[:last] + "`, `" + prefix + "…`", prefix[:last]
	}
	return "`" + prefix + "…`", prefix
}
