package openai

import (
	"slices"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// Partial is what of the Responses API a provider has that has not all of it. Requests that
// keep to it are forwarded unchanged. Others are translated, so that tools of the client's,
// such as Codex's, are functions, and what cannot be had is refused or left out by name:
// these servers ignore what they do not know, or refuse the request.
type Partial struct {
	// Members are the top-level members that the API takes; nil if it takes all.
	Members []string
	// Tools are the types of the tools that it takes besides functions; nil if it takes all.
	Tools []string
	// Models are those that have the API; nil if all have it.
	Models provider.Families
	// Document is where it is written; Read is when that was read last ("2026-11").
	Document, Read string
}

// Partly returns responses, an operation of the Responses API of which a provider has a
// part, with another operation for the requests that ask for more: its chat, or the same
// API as translations write it. A configured URL may say that its chat is meant.
func Partly(responses, other *provider.Operation, has *Partial) *provider.Operation {
	responses.Untuned = other.Edit.Models.Refused
	responses.Instead = &provider.Instead{
		Operation: other,
		Request:   func(*target.Target, *chat.Request) bool { return false },
		Body: func(t *target.Target, ms []jsonedit.Member) bool {
			return strings.HasSuffix(provider.ConfiguredPath(t), "/chat/completions") || !has.serves(t.Model) || !has.takes(ms)
		},
		Leaves: true,
	}
	return responses
}

func (p *Partial) serves(model string) bool { return p.Models == nil || p.Models.Of(model) != nil }

// takes reports whether a body with members ms keeps to the API's part. What is empty asks
// for nothing.
func (p *Partial) takes(ms []jsonedit.Member) bool {
	for i := range ms {
		name, value := string(ms[i].Key), ms[i].Value
		known := p.Members == nil || slices.Contains(p.Members, name) || isNothing(value)
		switch {
		case !known, p.Tools != nil && (name == "tools" && !p.takesTools(value) || name == "input" && !p.takesItems(value)):
			return false
		}
	}
	return true
}

func isNothing(value []byte) bool { return string(value) == "null" || isEmptyArray(value) }

func (p *Partial) takesTools(list []byte) bool {
	for _, tool := range jsonedit.Elements(list, nil) {
		kind, _ := jsonedit.String(jsonedit.Lookup(tool, "type"))
		if kind != "function" && !slices.Contains(p.Tools, kind) {
			return false
		}
	}
	return true
}

// takesItems reports whether the items of input are those that each of these APIs has, or
// calls of tools that this one runs.
func (p *Partial) takesItems(list []byte) bool {
	for _, item := range jsonedit.Elements(list, nil) {
		kind, _ := jsonedit.String(jsonedit.Lookup(item, "type"))
		switch kind {
		case "", "message", "function_call_output", "reasoning", "item_reference":
		case "function_call":
			if jsonedit.Lookup(item, "namespace") != nil {
				return false
			}
		default:
			tool, _, _ := strings.Cut(strings.TrimSuffix(kind, "_call"), "_list_tools")
			if strings.HasPrefix(kind, "mcp_") {
				tool = "mcp"
			}
			if !slices.Contains(p.Tools, tool) {
				return false
			}
		}
	}
	return true
}
