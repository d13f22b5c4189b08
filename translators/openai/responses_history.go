package openai

import (
	"bytes"
	"strings"

	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

// ownSeals leaves in the input of a Responses body only the sealed items (reasoning, a
// compaction) of own's, without a mark: no other can read them, and all refuse what they
// cannot read. It returns body itself when there is nothing to change, or the new body
// appended to dst.
// https://platform.openai.com/docs/guides/reasoning#encrypted-reasoning-items
func ownSeals(dst []byte, own origin.Name, body []byte) []byte {
	if !jsonedit.Contains(body, `"encrypted_content"`) {
		return body
	}
	whole := bytes.TrimSpace(body)
	input := jsonedit.Lookup(whole, "input")
	if !jsonedit.IsArray(input) {
		return body
	}
	edited := jsonedit.With(whole, "input", jsonedit.Each(ownRuns(own, input), func(item []byte) []byte { return ownSeal(own, item) }))
	if len(edited) == len(whole) && &edited[0] == &whole[0] {
		return body
	}
	return append(dst, edited...)
}

// ownRuns leaves in an input only the runs of hosted tools that own made, as it made them.
// Those of others, which have their token behind them, are told in words.
func ownRuns(own origin.Name, input []byte) []byte {
	if !jsonedit.Contains(input, `"`+sealedRun+origin.Prefix) {
		return input
	}
	list := jsonedit.Elements(input, nil)
	kept := make([][]byte, 0, len(list))
	for _, item := range list {
		sent, _ := jsonedit.String(jsonedit.Lookup(item, "encrypted_content"))
		token, ok := strings.CutPrefix(sent, sealedRun)
		if !ok {
			kept = append(kept, item)
			continue
		}
		told := []byte(nil)
		if n := len(kept) - 1; n >= 0 {
			if kind, _ := jsonedit.String(jsonedit.Lookup(kept[n], "type")); runItems[kind] {
				told, kept = toldItem(kind, kept[n]), kept[:n]
			}
		}
		if whose, native := origin.Of(token, origin.Unknown); whose == own && isRun([]byte(native)) {
			told = []byte(native)
		}
		if told != nil {
			kept = append(kept, told)
		}
	}
	return append(append([]byte{'['}, bytes.Join(kept, []byte{','})...), ']')
}

// toldItem is a message that tells of a run of another provider; nil if there is nothing
// to tell.
func toldItem(kind string, item []byte) []byte {
	v, err := jsonedit.Parse(item)
	if err != nil {
		return nil
	}
	words := runInWords(kind, hostedItems[kind], v)
	if words == "" {
		return nil
	}
	return append(jsonedit.AppendText([]byte(`{"type":"message","role":"assistant","content":[{"type":"output_text"`), "text", words), "}]}"...)
}

// ownSeal returns an item with own's seal, without a mark; nil if it is another's.
func ownSeal(own origin.Name, item []byte) []byte {
	sent, _ := jsonedit.String(jsonedit.Lookup(item, "encrypted_content"))
	if sent == "" {
		return item
	}
	whose, token := origin.OpenAI, sent
	for _, prefix := range [...]string{sealedThinking, sealedRedacted, sealedCall} {
		if marked, ok := strings.CutPrefix(sent, prefix); ok {
			whose, token = origin.Of(marked, origin.Unknown)
		}
	}
	switch {
	case whose != own || token == "":
		return nil
	case token == sent:
		return item
	}
	return jsonedit.With(item, "encrypted_content", jsonedit.AppendString(nil, token))
}

// markSeals marks the sealed items in an answer of own's, which is whole or an event of
// a stream. It returns data itself when there are none, or the new text appended to dst.
func markSeals(dst []byte, own origin.Name, data []byte) []byte {
	if !jsonedit.Contains(data, `"encrypted_content"`) {
		return data
	}
	mark := func(item []byte) []byte {
		sealed, _ := jsonedit.String(jsonedit.Lookup(item, "encrypted_content"))
		if sealed == "" {
			return item
		}
		return jsonedit.With(item, "encrypted_content", jsonedit.AppendString(nil, sealedThinking+origin.Text(own, origin.Unknown, sealed)))
	}
	marked := data
	if item := jsonedit.Lookup(data, "item"); item != nil {
		marked = jsonedit.With(marked, "item", mark(item))
	}
	if output := jsonedit.Lookup(data, "output"); jsonedit.IsArray(output) {
		marked = jsonedit.With(marked, "output", jsonedit.Each(output, mark))
	}
	if response := jsonedit.Lookup(data, "response"); response != nil {
		if output := jsonedit.Lookup(response, "output"); jsonedit.IsArray(output) {
			marked = jsonedit.With(marked, "response", jsonedit.With(response, "output", jsonedit.Each(output, mark)))
		}
	}
	if len(marked) == len(data) && &marked[0] == &data[0] {
		return data
	}
	return append(dst, marked...)
}
