package gemini

import (
	"bytes"

	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/target"
)

// ownSignatures leaves in the history of a generateContent body only signatures of
// Google's, without a mark. Of a part that another model made the thought is left
// out, and what it said or called stays: a call of a Gemini 3 with what stands in for
// its signature. It returns body itself when there is nothing to change, or the new
// body appended to dst.
// https://ai.google.dev/gemini-api/docs/thought-signatures#faqs
func ownSignatures(dst []byte, t *target.Target, body []byte) []byte {
	if !origin.Marked(body) {
		return body
	}
	whole := bytes.TrimSpace(body)
	stands := modelOf(t.Model).signs
	contents := jsonedit.Each(jsonedit.Lookup(whole, "contents"), func(turn []byte) []byte {
		parts := jsonedit.Lookup(turn, "parts")
		own := jsonedit.Each(parts, func(part []byte) []byte { return ownPart(part, stands) })
		if len(own) != len(parts) && len(jsonedit.Elements(own, nil)) == 0 {
			return nil
		}
		return jsonedit.With(turn, "parts", own)
	})
	return append(dst, jsonedit.With(whole, "contents", contents)...)
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
		case call && stands:
			part = jsonedit.With(part, name, jsonedit.AppendString(nil, skipSignature))
		default:
			part = jsonedit.With(part, name, nil)
		}
	}
	return part
}
