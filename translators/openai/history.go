package openai

import (
	"bytes"
	"slices"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/provider"
)

// historyEdit makes the messages of a body in OpenAI's format what an API takes: the
// members that it knows, thoughts where it has them, tokens of its own and ids of
// calls that it accepts. Clients of this format send what they were handed out (see the
// package's comment), and Upstream writes the same for clients of other formats.
type historyEdit struct {
	*provider.History
	own    origin.Name
	n      int  // calls so far
	marked bool // there may be marks for a cache, which the API refuses
}

// ownHistory returns body with the messages that the API of h takes, own being whose
// its tokens are; body itself if there is nothing to change.
func ownHistory(h *provider.History, own origin.Name, body []byte) []byte {
	whole := bytes.TrimSpace(body)
	e := historyEdit{History: h, own: own}
	messages := jsonedit.Lookup(whole, "messages")
	if h.Only != nil { // an API that is strict with members is so with the order, too
		messages = ordered(messages)
	}
	if h.Bridge != "" {
		messages = bridged(messages, h.Bridge, slices.Contains(h.Only, "prefix"))
	}
	if e.marked = h.Only != nil && !h.CacheControl && jsonedit.Contains(whole, `"cache_control"`); e.marked {
		if tools := jsonedit.Lookup(whole, "tools"); tools != nil {
			whole = jsonedit.With(whole, "tools", jsonedit.Each(tools, unmarked))
		}
	}
	return jsonedit.With(whole, "messages", jsonedit.Each(messages, e.message))
}

// unmarked returns a part or a tool without cache_control.
func unmarked(value []byte) []byte {
	if !jsonedit.IsObject(value) || jsonedit.Lookup(value, "cache_control") == nil {
		return value
	}
	return jsonedit.Join(nil, jsonedit.Splice(nil, value, jsonedit.Members(value, nil), []jsonedit.Edit{{Key: "cache_control"}}))
}

// handedOut says whether there may be something in body that we handed out: a token
// with a mark, or where it matters a thought.
func handedOut(body []byte, place provider.Thought) bool {
	if place == provider.ThoughtAsItCame {
		return origin.Marked(body)
	}
	for _, name := range [...]string{`"reasoning_content"`, `"reasoning"`, `"thinking_blocks"`, `"extra_content"`, `"` + liteLLM + `"`} {
		if jsonedit.Contains(body, name) {
			return true
		}
	}
	return false
}

// liteLLM is the member in which LiteLLM's SDK keeps what it was handed out, in messages and
// in calls. No API has it. https://docs.litellm.ai/docs/completion/output
const liteLLM = "provider_specific_fields"

// message returns a message as the API takes it.
func (e *historyEdit) message(m []byte) []byte {
	if content := jsonedit.Lookup(m, "content"); e.marked && jsonedit.IsArray(content) {
		m = jsonedit.With(m, "content", jsonedit.Each(content, unmarked))
	}
	members := jsonedit.Members(m, nil)
	var edits []jsonedit.Edit
	if e.Only != nil {
		for i := range members {
			if !slices.Contains(e.Only, string(members[i].Key)) {
				edits = append(edits, jsonedit.Edit{Key: string(members[i].Key)})
			}
		}
	}
	if e.Only == nil && jsonedit.Find(members, liteLLM) != nil {
		edits = append(edits, jsonedit.Edit{Key: liteLLM})
	}
	switch string(jsonedit.Find(members, "role")) {
	case `"tool"`:
		edits = e.id(edits, "tool_call_id", jsonedit.Find(members, "tool_call_id"))
	case `"assistant"`:
		edits = e.refusal(edits, members)
		edits = e.thought(edits, members)
		if calls := jsonedit.Find(members, "tool_calls"); jsonedit.IsArray(calls) {
			if own := jsonedit.Each(calls, e.call); len(own) != len(calls) || &own[0] != &calls[0] {
				edits = append(edits, jsonedit.Edit{Key: "tool_calls", Value: own})
			}
		}
	}
	if len(edits) == 0 {
		return m
	}
	return jsonedit.Join(nil, jsonedit.Splice(nil, m, members, edits))
}

// refusal makes a refusal the content, where the API has no member for it.
func (e *historyEdit) refusal(edits []jsonedit.Edit, members []jsonedit.Member) []jsonedit.Edit {
	refusal := jsonedit.Find(members, "refusal")
	content := jsonedit.Find(members, "content")
	if e.Only == nil || slices.Contains(e.Only, "refusal") || !jsonedit.IsString(refusal) || len(refusal) == len(`""`) || jsonedit.IsString(content) || jsonedit.IsArray(content) {
		return edits
	}
	return append(edits, jsonedit.Edit{Key: "content", Value: refusal})
}

// id maps the id of a call.
func (e *historyEdit) id(edits []jsonedit.Edit, name string, value []byte) []jsonedit.Edit {
	if e.IDs == nil {
		return edits
	}
	sent, _ := jsonedit.String(value)
	if own := e.IDs.Of(sent, e.n); own != sent {
		edits = append(edits, jsonedit.Edit{Key: name, Value: jsonedit.AppendString(nil, own)})
	}
	return edits
}

// call returns a call as the API takes it.
func (e *historyEdit) call(c []byte) []byte {
	e.n++
	members := jsonedit.Members(c, nil)
	var edits []jsonedit.Edit
	for i := range members {
		if e.Calls != nil && !slices.Contains(e.Calls, string(members[i].Key)) {
			edits = append(edits, jsonedit.Edit{Key: string(members[i].Key)})
		}
	}
	if e.Calls == nil && jsonedit.Find(members, liteLLM) != nil {
		edits = append(edits, jsonedit.Edit{Key: liteLLM})
	}
	edits = e.id(edits, "id", jsonedit.Find(members, "id"))
	if extra := jsonedit.Find(members, "extra_content"); extra != nil && (e.Calls == nil || slices.Contains(e.Calls, "extra_content")) {
		sent, _ := jsonedit.String(jsonedit.Lookup(extra, "google", "thought_signature"))
		whose, token := origin.Of(sent, origin.Google)
		switch {
		case chat.IsMarkedRun(token): // only generateContent takes runs back
			edits = append(edits, jsonedit.Edit{Key: "extra_content"})
		case sent == "" || whose == e.own && token == sent:
		case whose == e.own:
			google := jsonedit.With(jsonedit.Lookup(extra, "google"), "thought_signature", jsonedit.AppendString(nil, token))
			edits = append(edits, jsonedit.Edit{Key: "extra_content", Value: jsonedit.With(extra, "google", google)})
		case token != sent || e.Thought != provider.ThoughtAsItCame: // marked, or of an API that is known to have none
			edits = append(edits, jsonedit.Edit{Key: "extra_content"})
		}
	}
	if len(edits) == 0 {
		return c
	}
	return jsonedit.Join(nil, jsonedit.Splice(nil, c, members, edits))
}

// thought moves the thought of a message to where the API has it.
func (e *historyEdit) thought(edits []jsonedit.Edit, members []jsonedit.Member) []jsonedit.Edit {
	blocks := jsonedit.Find(members, "thinking_blocks")
	if e.Thought == provider.ThoughtAsItCame {
		if blocks != nil && origin.Marked(blocks) {
			edits = append(edits, jsonedit.Edit{Key: "thinking_blocks"})
		}
		return edits
	}
	text, from := e.said(members, blocks)
	for _, name := range thoughtNames {
		if jsonedit.Find(members, name) != nil {
			edits = append(without(edits, name), jsonedit.Edit{Key: name})
		}
	}
	var part []byte
	switch e.Thought {
	case provider.ThoughtInReasoningContent, provider.ThoughtInReasoning:
		name := "reasoning_content"
		if e.Thought == provider.ThoughtInReasoning {
			name = "reasoning"
		}
		if len(text) == 0 {
			if e.NoThought == "" {
				return edits
			}
			text, from = []byte(e.NoThought), ""
		}
		if from == name && blocks == nil { // where it belongs already
			return without(edits, name)
		}
		return append(without(edits, name), jsonedit.Edit{Key: name, Value: jsonedit.AppendBytes(nil, text)})
	case provider.ThoughtInThinking:
		if len(text) > 0 {
			part = append(jsonedit.AppendBytes([]byte(`{"type":"thinking","thinking":[{"type":"text","text":`), text), "}]}"...)
		}
	case provider.ThoughtSigned:
		part = e.signed(blocks)
	}
	if part != nil {
		edits = append(edits, jsonedit.Edit{Key: "content", Value: withPart(part, jsonedit.Find(members, "content"))})
	}
	return edits
}

// thoughtNames are the members that have a thought.
var thoughtNames = [...]string{"reasoning_content", "reasoning", "thinking_blocks"}

// said returns the text of a message's thought and the member that it is from.
func (e *historyEdit) said(members []jsonedit.Member, blocks []byte) (text []byte, from string) {
	for _, name := range thoughtNames[:2] {
		if text, _ := jsonedit.AppendUnquoted(nil, jsonedit.Find(members, name)); len(text) > 0 {
			return text, name
		}
	}
	for _, b := range jsonedit.Elements(blocks, nil) {
		text, _ = jsonedit.AppendUnquoted(text, jsonedit.Lookup(b, "thinking"))
	}
	return text, thoughtNames[2]
}

// signed returns the thoughts of thinking_blocks that have a signature of the API's
// own as Databricks' parts. In a stream a thought comes in several blocks, of which the
// last one has the signature.
func (e *historyEdit) signed(blocks []byte) (parts []byte) {
	var text []byte
	for _, b := range jsonedit.Elements(blocks, nil) {
		text, _ = jsonedit.AppendUnquoted(text, jsonedit.Lookup(b, "thinking"))
		sent, _ := jsonedit.String(jsonedit.Lookup(b, "signature"))
		if sent == "" {
			continue
		}
		if whose, token := origin.Of(sent, origin.Anthropic); whose == e.own && token != "" {
			if parts != nil {
				parts = append(parts, ',')
			}
			parts = append(parts, `{"type":"reasoning","summary":[{"type":"summary_text","text":`...)
			parts = append(jsonedit.AppendText(jsonedit.AppendBytes(parts, text), "signature", token), "}]}"...)
		}
		text = text[:0]
	}
	return parts
}

// withPart returns content with parts before what it has.
func withPart(parts, content []byte) []byte {
	list := append([]byte{'['}, parts...)
	switch {
	case jsonedit.IsArray(content):
		for _, p := range jsonedit.Elements(content, nil) {
			list = append(jsonedit.AppendComma(list), p...)
		}
	case jsonedit.IsString(content) && len(content) > len(`""`):
		list = append(append(append(list, `,{"type":"text","text":`...), content...), '}')
	}
	return append(list, ']')
}

// without removes the edits of a member.
func without(edits []jsonedit.Edit, name string) []jsonedit.Edit {
	kept := edits[:0]
	for _, e := range edits {
		if e.Key != name {
			kept = append(kept, e)
		}
	}
	return kept
}
