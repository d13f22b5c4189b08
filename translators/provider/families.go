package provider

import (
	"cmp"
	"slices"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// Family is a row of a provider's table: what the models of a family take of OpenAI's
// chat format. The zero value takes everything but reasoning_effort.
type Family struct {
	// Prefix is the beginning of the models' names, which are read with a dash at
	// their end: "gpt-5-" is gpt-5 and gpt-5-mini, and not gpt-5.1; "" is any name.
	Prefix string
	// Efforts are the levels of reasoning_effort that the models have, from the least
	// on. It is empty for models that refuse the member.
	Efforts []string
	// Default is the level of a request that names none; "" if it is not "none".
	Default string
	// Refuses are top-level members that the models refuse. Clients of other formats,
	// who cannot know that, have them left out; so are the plugin's own options.
	Refuses []string
	// Limit is the models' name of max_tokens, if it is another. Output is the most
	// tokens that they write, 0 if it is not known: more is refused, and clients of
	// other formats must say a number without knowing the model.
	Limit  string
	Output int
	// QuietTools means that on chat/completions the models call functions only while
	// they do not reason. A provider that has the Responses API is asked there; at
	// others the effort is "none" beside functions.
	QuietTools bool
	// OnlyResponses means that the models have the Responses API and not
	// chat/completions. Searches means that they search the web there,
	// AlwaysSearches that they refuse requests without a tool for it, and Truncates that
	// they demand that a conversation which is too long is cut.
	OnlyResponses, Searches, AlwaysSearches, Truncates bool
	// Runs are the tools besides the search that the API runs for them there, as it
	// writes them; an MCP server has its own members.
	Runs map[chat.Hosted]string
	// Thinking, if set, returns Anthropic's member thinking, which the models have
	// instead of reasoning_effort; nil for none.
	Thinking func(model string, r *chat.Request) []byte
	// Off is the member that tells the models not to think, where that is neither
	// thinking nor reasoning_effort; its Key is "" where there is none.
	Off jsonedit.Edit
	// Unforced means that the models refuse a tool_choice that demands a call while they
	// think. Those that Thinking or Off can turn off do not think then, unless the client wants
	// them to; to others the demand goes in words.
	Unforced bool
	// ThinksInStreams means that the models think in streams only, and refuse to in whole
	// answers: for these, Off turns it off.
	ThinksInStreams bool
	// Blind means that the models refuse images ("unknown variant `image_url`, expected
	// `text`"): one in the history would end the conversation. Words say where one was.
	// https://github.com/nesquena/hermes-webui/issues/2297
	// https://github.com/Gitlawb/openclaude/issues/1071
	Blind bool
	// NoSchema means that the models know the response_format json_object, and not
	// json_schema. The schema goes into a system message.
	NoSchema bool
	// Document is where it is written; Read is when that was read last, as year and
	// month ("2026-11"), "" if that was not noted.
	Document, Read string
}

// Families is a provider's table of models, newest first. The first row that has the
// beginning of a name counts.
type Families []Family

// Of returns the row of a model, or nil if nothing is known of it. A fine-tuned model
// is of the family of its base (ft:gpt-4.1-2025-04-14:acme::id), a name may have a tag
// (gpt-oss:20b), and it may begin with the model's maker (openai/gpt-oss-20b).
func (m Families) Of(name string) *Family {
	return firstOf(m, name, func(f *Family) string { return f.Prefix })
}

// Refused is an Operation.Untuned: what t's model refuses.
func (m Families) Refused(t *target.Target) []string {
	if f := m.Of(t.Model); f != nil {
		return f.Refuses
	}
	return nil
}

// firstOf returns the first row that has the beginning of a model's name, or nil.
func firstOf[Row any](rows []Row, name string, prefix func(*Row) string) *Row {
	name = plainName(name)
	for i := range rows {
		if begins(name, prefix(&rows[i])) {
			return &rows[i]
		}
	}
	return nil
}

// plainName is a model's name as rows have it.
func plainName(name string) string {
	name, _, _ = strings.Cut(strings.TrimPrefix(strings.ToLower(name), "ft:"), ":")
	return name[strings.LastIndexByte(name, '/')+1:]
}

// begins reports whether a row's prefix is the beginning of a name.
func begins(name, prefix string) bool {
	if prefix != "" && name != "" && prefix[0] != name[0] {
		return false // asked for each request, of tables with dozens of rows
	}
	return strings.HasPrefix(name, prefix) || len(prefix) == len(name)+1 && prefix[len(name)] == '-' && strings.HasPrefix(prefix, name)
}

// efforts are all levels of reasoning_effort, from the least on.
var efforts = []string{"none", "minimal", "low", "medium", "high", "xhigh", "max"}

// Effort returns the level of the model for a wanted one: the least that is no less,
// or else its highest; "" if it has none. A model of which nothing is known (m is nil)
// is asked as wanted, but for "none", which many servers do not know.
func (m *Family) Effort(wanted string) string {
	switch {
	case m == nil && wanted == "none", m != nil && len(m.Efforts) == 0, wanted == "":
		return ""
	case m == nil:
		return wanted
	}
	rank := slices.Index(efforts, wanted)
	for _, level := range m.Efforts {
		if rank >= 0 && slices.Index(efforts, level) >= rank {
			return level
		}
	}
	return m.Efforts[len(m.Efforts)-1]
}

// Fit returns r as the model takes it: r itself, or a copy.
func (m *Family) Fit(r *chat.Request) *chat.Request {
	fitted := *r
	fitted.ReasoningEffort, fitted.ReasoningBudget = m.Effort(Effort(r)), ""
	if m == nil {
		return &fitted
	}
	fitted.MaxTokens = r.MaxTokens.AtMost(m.Output)
	if m.silenced(r) && (m.Default != "none" || Effort(r) != "") { // by default it does not reason
		fitted.ReasoningEffort = "none"
	}
	fitted.Messages, fitted.ResponseFormat = m.described(r)
	return &fitted
}

// Describe returns r with the form of its answer as the model takes it: r itself, or a
// copy.
func (m *Family) Describe(r *chat.Request) *chat.Request {
	if m == nil || r.ResponseFormat.Type == "" {
		return r
	}
	described := *r
	described.Messages, described.ResponseFormat = m.described(r)
	return &described
}

// described returns r's messages and the form of its answer, which goes in words where
// the model knows no schema, or only those of objects. JSON without a schema must be
// spoken of: "'messages' must contain the word 'json' in some form".
// https://platform.openai.com/docs/guides/structured-outputs#json-mode
func (m *Family) described(r *chat.Request) ([]chat.Message, chat.ResponseFormat) {
	format := r.ResponseFormat
	switch {
	case format.Type == "json_schema" && jsonedit.IsObject(format.Schema) && string(jsonedit.Lookup(format.Schema, "type")) != `"object"`:
		format = chat.ResponseFormat{}
	case format.Type == "json_schema" && m.NoSchema, format.Type == "json_object" && !speaksOfJSON(r):
		format = chat.ResponseFormat{Type: "json_object"}
	default:
		return r.Messages, format
	}
	words := chat.Part{Kind: chat.Text, Text: jsonedit.Plain(r.ResponseFormat.Instruction())}
	return append([]chat.Message{{Role: chat.System, Parts: []chat.Part{words}}}, r.Messages...), format
}

// speaksOfJSON reports whether a text of r has the word.
func speaksOfJSON(r *chat.Request) bool {
	return slices.ContainsFunc(r.Messages, func(m chat.Message) bool {
		return slices.ContainsFunc(m.Parts, func(p chat.Part) bool { return strings.Contains(strings.ToLower(p.Text.String()), "json") })
	})
}

// Choose returns r without thoughts if it is one for which the model refuses to think, and
// with a demand for a call that it takes: r itself, or a copy.
func (m *Family) Choose(r *chat.Request) *chat.Request {
	if m != nil && m.ThinksInStreams && !r.Stream {
		silent := *r
		silent.ReasoningEffort, silent.ReasoningBudget = "none", ""
		return &silent
	}
	if !m.hesitates(r) {
		return r
	}
	fitted := *r
	if m.canRest(r) {
		fitted.ReasoningEffort, fitted.ReasoningBudget = "none", ""
		return &fitted
	}
	words := chat.Part{Kind: chat.Text, Text: jsonedit.Plain(r.Demand(r.ToolChoice.Name))}
	fitted.Messages = append([]chat.Message{{Role: chat.System, Parts: []chat.Part{words}}}, r.Messages...)
	fitted.ToolChoice = chat.ToolChoice{Mode: "auto"}
	return &fitted
}

// hesitates reports whether the model would refuse the demand for a call in r.
func (m *Family) hesitates(r *chat.Request) bool {
	return m != nil && m.Unforced && r.Functions() && r.Demand("") != "" && Effort(r) != "none"
}

// canRest reports whether the model can be told not to think, and r does not want it to.
func (m *Family) canRest(r *chat.Request) bool {
	return (m.Thinking != nil || m.Off.Key != "") && Effort(r) == "" && !r.Thoughts
}

// silenced reports whether the model may not reason because it is offered functions.
func (m *Family) silenced(r *chat.Request) bool { return m.silent() && len(r.Tools) > 0 }

// silent reports whether the models call functions while they do not reason: some always
// reason.
func (m *Family) silent() bool { return m.QuietTools && slices.Contains(m.Efforts, "none") }

// KnowsResponses reports whether there are requests for which the models need the
// Responses API.
func (m *Family) KnowsResponses() bool {
	return m != nil && (m.OnlyResponses || m.QuietTools || m.SearchesInResponses())
}

// NeedsResponses reports whether the models take r in the Responses API only.
func (m *Family) NeedsResponses(r *chat.Request) bool {
	quiet := m != nil && m.silent() && cmp.Or(m.Wanted(r), m.Default) == "none"
	return m != nil && (m.OnlyResponses || m.QuietTools && r.Functions() && !quiet)
}

// Wanted is how hard the models shall think for r: as it says or, if it only says that
// they shall and they would not by default, with effort medium.
func (m *Family) Wanted(r *chat.Request) string {
	effort := Effort(r)
	if effort == "" && r.Thoughts && m != nil && m.Default == "none" {
		return "medium"
	}
	return effort
}

// SearchesInResponses reports whether the models have a web search in the Responses API.
func (m *Family) SearchesInResponses() bool { return m != nil && (m.Searches || m.AlwaysSearches) }

// RunsInResponses reports whether the models have a hosted tool in the Responses API.
func (m *Family) RunsInResponses(tool *chat.Tool) bool {
	if tool.Hosted == chat.WebSearch || m == nil {
		return m.SearchesInResponses()
	}
	_, runs := m.Runs[tool.Hosted]
	return runs && (tool.Hosted != chat.MCP || tool.Server != nil)
}

// IsBlind reports whether the models refuse images.
func (m *Family) IsBlind() bool { return m != nil && m.Blind }

// Takes reports whether the models take a top-level member.
func (m *Family) Takes(name string) bool { return m == nil || !slices.Contains(m.Refuses, name) }

// Caveats returns what of r the model is not asked for, although it could do it, in
// words for the record.
func (m *Family) Caveats(r *chat.Request) []string {
	if wanted := Effort(r); m != nil && m.silenced(r) && wanted != "" && wanted != "none" {
		return []string{"reasoning_effort: " + wanted + " became none: on chat/completions the model calls functions only while it does not reason"}
	}
	if m.hesitates(r) && !m.canRest(r) {
		return r.DemandCaveat()
	}
	return nil
}

// Effort is how hard the model shall think; a budget in tokens is put in words.
func Effort(r *chat.Request) string {
	budget, ok := r.ReasoningBudget.Int()
	switch {
	case r.ReasoningEffort != "" || !ok:
		return r.ReasoningEffort
	case budget < 0: // the model decides
		return ""
	case budget == 0:
		return "none"
	case budget <= 2048:
		return "low"
	case budget <= 8192:
		return "medium"
	}
	return "high"
}
