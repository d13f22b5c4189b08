package compatible

import (
	"bytes"

	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/target"
)

// The functions here correct bodies that are almost in OpenAI's format. Each first
// looks for the bytes that it is about, so that other bodies cost nothing.

// ReasoningContent is an Edit.Rewrite: it renames the member "reasoning" of messages
// and deltas, which vLLM and Cerebras send, to "reasoning_content", which DeepSeek
// sends and most clients read.
func ReasoningContent(dst, data []byte) []byte {
	if !bytes.Contains(data, []byte(`"reasoning"`)) {
		return data
	}
	return eachMessage(dst, data, func(message []byte, members []jsonedit.Member) []jsonedit.Edit {
		value := jsonedit.Find(members, "reasoning")
		if value == nil || jsonedit.Find(members, "reasoning_content") != nil {
			return nil
		}
		return []jsonedit.Edit{{Key: "reasoning"}, {Key: "reasoning_content", Value: value}}
	})
}

// FinishReasons is an Edit.Rewrite: it gives finish reasons OpenAI's names.
func FinishReasons(dst, data []byte) []byte {
	if !bytes.Contains(data, []byte(`"eos_token"`)) && !bytes.Contains(data, []byte(`"stop_sequence"`)) {
		return data
	}
	return editList(dst, data, "choices", func(choice []byte) []jsonedit.Edit {
		reason, _ := jsonedit.String(jsonedit.Lookup(choice, "finish_reason"))
		plain := openai.Finish(reason)
		if string(plain) == reason {
			return nil
		}
		return []jsonedit.Edit{{Key: "finish_reason", Value: jsonedit.AppendString(nil, string(plain))}}
	})
}

// SplitContent is an Edit.Rewrite: it turns content that is an array of parts into
// OpenAI's string and reasoning_content. Databricks has
// {"type":"reasoning","summary":[{"type":"summary_text","text":"…"}]}, Mistral
// {"type":"thinking","thinking":[{"type":"text","text":"…"}]}, both beside
// {"type":"text","text":"…"}.
// https://docs.databricks.com/aws/en/machine-learning/model-serving/query-reason-models
// https://docs.mistral.ai/capabilities/reasoning
func SplitContent(dst, data []byte) []byte {
	if !bytes.Contains(data, []byte(`"content"`)) {
		return data
	}
	return eachMessage(dst, data, func(message []byte, members []jsonedit.Member) []jsonedit.Edit {
		content := jsonedit.Find(members, "content")
		if !jsonedit.IsArray(content) {
			return nil
		}
		parts, err := jsonedit.Array(content, nil)
		if err != nil {
			return nil
		}
		var text, thinking, blocks []byte
		for _, p := range parts {
			switch string(jsonedit.Lookup(p, "type")) {
			case `"reasoning"`:
				summary := jsonedit.Lookup(p, "summary")
				thinking = appendTexts(thinking, summary)
				blocks = appendSigned(blocks, summary)
			case `"thinking"`:
				thinking = appendTexts(thinking, jsonedit.Lookup(p, "thinking"))
			default:
				text, _ = jsonedit.AppendUnquoted(text, jsonedit.Lookup(p, "text"))
			}
		}
		edits := []jsonedit.Edit{{Key: "content", Value: jsonedit.AppendBytes(nil, text)}}
		if len(thinking) > 0 {
			edits = append(edits, jsonedit.Edit{Key: "reasoning_content", Value: jsonedit.AppendBytes(nil, thinking)})
		}
		if blocks != nil {
			edits = append(edits, jsonedit.Edit{Key: "thinking_blocks", Value: append(blocks, ']')})
		}
		return edits
	})
}

// appendSigned appends the texts of Databricks' summary that have a signature as
// thinking_blocks, for the client to send back. The list is not closed, and is nil
// while there is none.
func appendSigned(dst, summary []byte) []byte {
	for _, s := range jsonedit.Elements(summary, nil) {
		signature, _ := jsonedit.String(jsonedit.Lookup(s, "signature"))
		if signature == "" {
			continue
		}
		if dst == nil {
			dst = []byte{'['}
		}
		text, _ := jsonedit.AppendUnquoted(nil, jsonedit.Lookup(s, "text"))
		dst = jsonedit.AppendBytes(append(jsonedit.AppendComma(dst), `{"type":"thinking","thinking":`...), text)
		dst = append(jsonedit.AppendText(dst, "signature", origin.Text("databricks", origin.Anthropic, signature)), '}')
	}
	return dst
}

// appendTexts appends the text of a string, or of each part of a list.
func appendTexts(dst, value []byte) []byte {
	if jsonedit.IsString(value) {
		dst, _ = jsonedit.AppendUnquoted(dst, value)
		return dst
	}
	parts, err := jsonedit.Array(value, nil)
	if err != nil {
		return dst
	}
	for _, p := range parts {
		dst, _ = jsonedit.AppendUnquoted(dst, jsonedit.Lookup(p, "text"))
	}
	return dst
}

// eachMessage edits the message, or the delta, of each choice of an answer. It
// returns data itself if nothing was edited.
func eachMessage(dst, data []byte, edit func(message []byte, members []jsonedit.Member) []jsonedit.Edit) []byte {
	return editList(dst, data, "choices", func(choice []byte) []jsonedit.Edit {
		for _, name := range [...]string{"message", "delta"} {
			message := jsonedit.Lookup(choice, name)
			members, err := jsonedit.Object(message, nil)
			if err != nil {
				continue
			}
			if edits := edit(message, members); edits != nil {
				return []jsonedit.Edit{{Key: name, Value: jsonedit.Join(nil, jsonedit.Splice(nil, message, members, edits))}}
			}
		}
		return nil
	})
}

// editList edits the objects of the list called key in the object data. It returns
// data itself if nothing was edited or data is not such an object.
func editList(dst, data []byte, key string, edit func(element []byte) []jsonedit.Edit) []byte {
	members, err := jsonedit.Object(data, nil)
	if err != nil {
		return data
	}
	list, err := jsonedit.Array(jsonedit.Find(members, key), nil)
	if err != nil {
		return data
	}
	changed := false
	for i, element := range list {
		inside, err := jsonedit.Object(element, nil)
		if err != nil {
			continue
		}
		if edits := edit(element); edits != nil {
			list[i] = jsonedit.Join(nil, jsonedit.Splice(nil, element, inside, edits))
			changed = true
		}
	}
	if !changed {
		return data
	}
	value := append(append([]byte{'['}, bytes.Join(list, []byte{','})...), ']')
	return jsonedit.Join(dst, jsonedit.Splice(nil, data, members, []jsonedit.Edit{{Key: key, Value: value}}))
}

// SystemRole is an Edit.Request: it gives "developer" messages the role "system",
// which all APIs know. Only OpenAI's own API knows both.
// https://model-spec.openai.com/2025-02-12.html#chain_of_command
func SystemRole(dst []byte, _ *target.Target, body []byte) []byte {
	if !jsonedit.Contains(body, `"developer"`) {
		return body
	}
	return editList(dst, body, "messages", func(message []byte) []jsonedit.Edit {
		if string(jsonedit.Lookup(message, "role")) != `"developer"` {
			return nil
		}
		return []jsonedit.Edit{{Key: "role", Value: []byte(`"system"`)}}
	})
}

// OlderLimit is an Edit.Rename for APIs that only know max_tokens.
func OlderLimit(*target.Target) map[string]string {
	return map[string]string{"max_completion_tokens": "max_tokens"}
}
