package provider

import (
	"slices"

	"go-ai-proxy/translators/chat"
)

// Hosting is a row of a provider's table: which tools an API with OpenAI's chat format
// runs itself for the models of a family, and how it writes them.
type Hosting struct {
	Prefix string // as that of a Family
	Kinds  []chat.Hosted
	// Tool appends a tool as an element of tools. It is nil where Members says it all.
	Tool func(dst []byte, t *chat.Tool) []byte
	// Members, if set, appends the top-level members that ask for r's hosted tools.
	Members func(dst []byte, r *chat.Request) []byte
	// Choice, if set, returns the tool_choice that demands a tool, as JSON. A demand for
	// a tool is refused where it is not set and Always is not either.
	Choice func(t *chat.Tool) string
	// Alone means that Choice demands some call: no other tool is offered then.
	Alone bool
	// Always means that the models use the tools anyway, or that Members demands it.
	Always bool
	// NoSchema means that the tools exclude a schema of the answer.
	NoSchema bool
	// NoFunctions means that the tools exclude functions, which the client needs more.
	NoFunctions bool
	// Elsewhere, if set, says where the provider runs the tools, which is not in this API:
	// the row is only told.
	Elsewhere string
	// Document is where it is written, Read when that was read last, as year and month.
	Document, Read string
}

// Hostings is the table, whose first row with the beginning of a name counts.
type Hostings []Hosting

// Of returns the row of a model, nil if it has none.
func (h Hostings) Of(name string) *Hosting {
	return firstOf(h, name, func(h *Hosting) string { return h.Prefix })
}

// Runs reports whether the API runs a tool for the row's models, beside what else r asks
// for.
func (h *Hosting) Runs(r *chat.Request, tool *chat.Tool) bool {
	if h == nil || h.Elsewhere != "" || !slices.Contains(h.Kinds, tool.Hosted) || h.NoSchema && r.ResponseFormat.Type == "json_schema" || h.NoFunctions && r.Functions() {
		return false
	}
	forced := r.ToolChoice.Mode == "function" && r.ToolChoice.Name == tool.Name
	return !forced || h.Choice != nil || h.Always
}

// elsewhere says where a tool runs that the API has not; "" if it is not known.
func (h *Hosting) elsewhere(tool *chat.Tool) string {
	if h == nil || h.Elsewhere == "" || !slices.Contains(h.Kinds, tool.Hosted) {
		return ""
	}
	return ": the provider runs it " + h.Elsewhere
}

// Facts returns the table as docs/models.md tells it.
func (h Hostings) Facts() []Facts {
	rows := make([]Facts, 0, len(h))
	for i := range h {
		row := Facts{Names: "any", Example: "a-model-to-come", Document: h[i].Document, Read: h[i].Read}
		if h[i].Prefix != "" {
			row.Names, row.Example = prefixInWords(h[i].Prefix)
		}
		for _, kind := range h[i].Kinds {
			note := "runs " + string(kind)
			if h[i].Elsewhere != "" {
				note += ", but " + h[i].Elsewhere
			}
			row.Notes = append(row.Notes, note)
		}
		if h[i].NoFunctions {
			row.Notes = append(row.Notes, "but not beside functions")
		}
		rows = append(rows, row)
	}
	return rows
}
