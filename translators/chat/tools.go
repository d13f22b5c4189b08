package chat

import (
	"slices"
	"strconv"
	"strings"
)

// Hosted is a kind of tool that a provider runs itself: the client only offers it.
type Hosted string

// The kinds of hosted tools. Tools of the same kind correspond to each other: one
// maker's tool is translated to another maker's tool of that kind.
const (
	WebSearch       Hosted = "web search"
	WebFetch        Hosted = "web fetch"
	CodeExecution   Hosted = "code execution"
	FileSearch      Hosted = "file search"
	ImageGeneration Hosted = "image generation"
	MCP             Hosted = "mcp"   // the tools of a server that the provider calls
	OtherHosted     Hosted = "other" // known to its own maker only: tool search
)

// Search says how a web search is to be made.
type Search struct {
	Allowed, Blocked []string // domains; at most one of the two is set
	Context          string   // low, medium or high: how much of the results the model reads
	City, Region     string
	Country          string // ISO 3166-1, two letters
	Timezone         string // IANA
	MaxUses          Number
}

// Somewhere reports whether it says where the search is made from.
func (s *Search) Somewhere() bool { return s.City+s.Region+s.Country+s.Timezone != "" }

// hostedKinds lists the names that makers give their hosted tools, by prefix. A name
// that is not listed is OtherHosted.
//
//	https://platform.claude.com/docs/en/agents-and-tools/tool-use/tool-reference
//	https://platform.openai.com/docs/guides/tools
//	https://ai.google.dev/gemini-api/docs/tools
//	https://docs.aws.amazon.com/nova/latest/userguide/grounding.html
var hostedKinds = []struct {
	word string
	kind Hosted
}{
	{"web_search", WebSearch},
	{"googleSearch", WebSearch},
	{"google_search", WebSearch},
	{"nova_grounding", WebSearch},
	{"web_fetch", WebFetch},
	{"urlContext", WebFetch},
	{"url_context", WebFetch},
	{"code_execution", CodeExecution},
	{"code_interpreter", CodeExecution},
	{"codeExecution", CodeExecution},
	{"nova_code_interpreter", CodeExecution},
	{"file_search", FileSearch},
	{"fileSearch", FileSearch},
	{"image_generation", ImageGeneration},
}

// HostedTool returns the hosted tool of the kind that word names. name is what the
// client's tool choice calls it; "" stands for word. native is the client's JSON for it.
func HostedTool(word, name string, native Raw) Tool {
	if name == "" {
		name = word
	}
	t := Tool{Name: name, Hosted: OtherHosted, Native: native}
	for _, k := range hostedKinds {
		if strings.HasPrefix(word, k.word) {
			t.Hosted = k.kind
			break
		}
	}
	return t
}

// ClientTool is how a client's format writes a tool that is a function in the
// internal form. The zero value is a plain function.
type ClientTool struct {
	Kind      string // the client's own word: "custom", "local_shell" …; "" for a function
	Namespace string
	Name      string // as the client knows it, within the namespace
}

// ClientTools returns the tools that the client's format does not write as plain
// functions, by name, or nil if there are none.
func (r *Request) ClientTools() map[string]ClientTool {
	var tools map[string]ClientTool
	for i := range r.Tools {
		if t := &r.Tools[i]; t.Client != (ClientTool{}) {
			if tools == nil {
				tools = map[string]ClientTool{}
			}
			tools[t.Name] = t.Client
		}
	}
	return tools
}

// Functions reports whether r offers functions.
func (r *Request) Functions() bool {
	return slices.ContainsFunc(r.Tools, func(t Tool) bool { return t.Hosted == "" })
}

// Hosts returns the hosted tool of a kind that r offers, or nil.
func (r *Request) Hosts(kind Hosted) *Tool {
	for i := range r.Tools {
		if r.Tools[i].Hosted == kind {
			return &r.Tools[i]
		}
	}
	return nil
}

// ForcesHosted reports whether the client demands that a hosted tool is called. Few
// APIs can express that.
func (r *Request) ForcesHosted() bool {
	return r.ToolChoice.Mode == "function" && slices.ContainsFunc(r.Tools, func(t Tool) bool { return t.Hosted != "" && t.Name == r.ToolChoice.Name })
}

// Demand returns in words that a tool must be called, for models that cannot be made
// to call one; "" if the client does not demand it. name is what the chosen tool is
// called there.
func (r *Request) Demand(name string) string {
	switch r.ToolChoice.Mode {
	case "required":
		return "Answer by calling one of the tools."
	case "function":
		return "Answer by calling the tool " + strconv.Quote(name) + "."
	}
	return ""
}

// SearchCaveat returns, in words for the record, what of the web search is not said to
// an API that knows no settings of it; nil if there is nothing.
func (r *Request) SearchCaveat() []string {
	tool := r.Hosts(WebSearch)
	if tool == nil || tool.Search == nil || len(tool.Search.Allowed)+len(tool.Search.Blocked) == 0 {
		return nil
	}
	return []string{"tools: " + tool.Name + " became a search of all domains: the API cannot limit it"}
}

// DemandCaveat returns, in words for the record, that a demand for a call was put in
// words; nil if there is none.
func (r *Request) DemandCaveat() []string {
	if r.Demand("") == "" || len(r.Tools) == 0 {
		return nil
	}
	return []string{"tool_choice: " + r.ToolChoice.Mode + " became auto, and words: the model cannot be made to call a tool"}
}
