package gemini

import (
	"bytes"

	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// ownHistory makes the history of a generateContent body one that Google takes,
// whoever answered before: with signatures of Google's only, without a mark, and on
// Vertex without the ids of calls, which its v1 does not know. Of a part that another
// model made the thought is left out, and what it said or called stays: the first call
// of a turn of a Gemini 3 with what stands in for its signature. It returns body itself
// when there is nothing to change, or the new body appended to dst.
// https://ai.google.dev/gemini-api/docs/thought-signatures#faqs
func ownHistory(dst []byte, t *target.Target, body []byte) []byte {
	h := history{marked: origin.Marked(body), signs: modelOf(t.Model).signs, ids: !onVertex(t)}
	calls := jsonedit.Contains(body, `"functionCall"`) || jsonedit.Contains(body, `"function_call"`)
	if !h.marked && !(calls && (h.signs || !h.ids)) {
		return body
	}
	whole := bytes.TrimSpace(body)
	edited := jsonedit.With(whole, "contents", jsonedit.Each(jsonedit.Lookup(whole, "contents"), h.turn))
	if len(edited) == len(whole) && &edited[0] == &whole[0] {
		return body
	}
	return append(dst, edited...)
}

// history is what a model takes of a conversation.
type history struct {
	marked bool // there are tokens that we handed out
	signs  bool // calls need a signature
	ids    bool // calls and responses have ids
}

// turn returns a turn as the model takes it; nil if nothing is left of it.
func (h *history) turn(turn []byte) []byte {
	parts := jsonedit.Lookup(turn, "parts")
	first := true // no call has come yet
	own := jsonedit.Each(parts, func(part []byte) []byte {
		if h.marked {
			part = ownPart(part, h.signs)
		}
		for _, name := range [...]string{"functionCall", "function_call"} {
			if call := jsonedit.Lookup(part, name); call != nil {
				if first && h.signs && !signed(part) {
					part = jsonedit.With(part, "thoughtSignature", jsonedit.AppendString(nil, skipSignature))
				}
				first = false
			}
		}
		if !h.ids {
			part = withoutIDs(part)
		}
		return part
	})
	if len(own) != len(parts) && len(jsonedit.Elements(own, nil)) == 0 {
		return nil
	}
	return jsonedit.With(turn, "parts", own)
}

// signed reports whether a part has a signature.
func signed(part []byte) bool {
	return len(jsonedit.Lookup(part, "thoughtSignature"))+len(jsonedit.Lookup(part, "thought_signature")) > len(`""`)
}

// withoutIDs returns a part whose call or response has no id.
func withoutIDs(part []byte) []byte {
	for _, name := range [...]string{"functionCall", "function_call", "functionResponse", "function_response"} {
		if call := jsonedit.Lookup(part, name); jsonedit.Lookup(call, "id") != nil {
			part = jsonedit.With(part, name, jsonedit.With(call, "id", nil))
		}
	}
	return part
}

// ownPart returns a part with Google's signature, or with none; nil for another
// model's thought. stands says that calls get what stands in for a signature.
func ownPart(part []byte, stands bool) []byte {
	members := jsonedit.Members(part, nil)
	for _, name := range [...]string{"thoughtSignature", "thought_signature"} {
		sent, _ := jsonedit.String(jsonedit.Find(members, name))
		whose, token := origin.Of(sent, origin.Google)
		call := jsonedit.Find(members, "functionCall") != nil || jsonedit.Find(members, "function_call") != nil
		switch {
		case token == sent && whose == origin.Google:
		case whose == origin.Google && token != "":
			part = jsonedit.With(part, name, jsonedit.AppendString(nil, token))
		case jsonedit.IsTrue(jsonedit.Find(members, "thought")):
			return nil
		case ownRun(part) != nil:
			return ownRun(part)
		case sent != "" && string(jsonedit.Find(members, "text")) == `""`: // the token of a run
			return nil
		case call && stands:
			part = jsonedit.With(part, name, jsonedit.AppendString(nil, skipSignature))
		default:
			part = jsonedit.With(part, name, nil)
		}
	}
	return part
}

// corrupted is the error of a history with a signature that Google did not make, or made
// for another model. The request is made again without signatures.
var corrupted = []provider.Refusal{{
	Status: 400, Words: []string{"thought signature"}, What: "signatures in the history", Document: "https://ai.google.dev/gemini-api/docs/thought-signatures#faqs",
	Without: func(body []byte, message string) []byte {
		if message == "" {
			return body
		}
		return jsonedit.With(body, "contents", jsonedit.Each(jsonedit.Lookup(body, "contents"), func(turn []byte) []byte {
			return jsonedit.With(turn, "parts", jsonedit.Each(jsonedit.Lookup(turn, "parts"), unsigned))
		}))
	},
}}

// unsigned returns a part without its signature: a call with what stands in for one; nil
// for a thought.
func unsigned(part []byte) []byte {
	if !signed(part) {
		return part
	}
	members := jsonedit.Members(part, nil)
	if jsonedit.IsTrue(jsonedit.Find(members, "thought")) {
		return nil
	}
	call := jsonedit.Find(members, "functionCall") != nil || jsonedit.Find(members, "function_call") != nil
	part = jsonedit.With(jsonedit.With(part, "thoughtSignature", nil), "thought_signature", nil)
	if call {
		part = jsonedit.With(part, "thoughtSignature", jsonedit.AppendString(nil, skipSignature))
	}
	return part
}
