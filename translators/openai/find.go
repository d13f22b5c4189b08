package openai

import (
	"bytes"
	"unicode/utf8"

	"go-ai-proxy/translators/jsonedit"
)

// The names that a meter looks for, without the first quote. A quote is the most
// frequent byte of all, so a search for it would stop too often.
const (
	choicesKey          = `choices"`
	failureKey          = `error"`
	contentKey          = `content"`
	textKey             = `text"`
	reasoningKey        = `reasoning"`
	refusalKey          = `refusal"`
	reasoningContentKey = `reasoning_content"`
	callsKey            = `tool_calls"`
	argumentsKey        = `arguments"`
	audioKey            = `audio"`
	imagesKey           = `images"`
	finishKey           = `finish_reason"`
	usageKey            = `usage"`
	typeKey             = `type"`
	embeddingKey        = `embedding"`
	deltaKey            = `delta"`
	paddingKey          = `obfuscation"`
)

// find finds the first member called key, at any depth. value is the data from the
// member's value on, and rest is where to continue the search; both are nil if there
// is no such member. Text that looks like a member is not found, since its quotes are
// escaped.
func find(data []byte, key string) (value, rest []byte) {
	for {
		i := jsonedit.Index(data, key)
		if i < 0 {
			return nil, nil
		}
		v := skipSpace(data[i+len(key):])
		quoted := i > 0 && data[i-1] == '"'
		data = data[i+len(key):]
		if !quoted || len(v) == 0 || v[0] != ':' {
			continue
		}
		if v = skipSpace(v[1:]); len(v) == 0 {
			return nil, nil
		}
		return v, v
	}
}

func skipSpace(data []byte) []byte {
	for len(data) > 0 && (data[0] == ' ' || data[0] == '\t' || data[0] == '\n' || data[0] == '\r') {
		data = data[1:]
	}
	return data
}

// textLen returns the length in UTF-8 of the text of a JSON string, in bytes. It is 0
// for other values.
func textLen(value []byte) int {
	if len(value) < 2 || value[0] != '"' {
		return 0
	}
	text := value[1 : len(value)-1]
	n := 0
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 || i+1 >= len(text) {
			return n + len(text)
		}
		n += i
		if text[i+1] != 'u' || len(text) < i+6 {
			n, text = n+1, text[i+2:]
			continue
		}
		n += escapedLen(text[i+2 : i+6])
		text = text[i+6:]
	}
}

// escapedLen returns the length of the rune of a \u escape, in bytes. Half of a
// surrogate pair counts as two of the pair's four bytes.
func escapedLen(hex []byte) int {
	var r rune
	for _, c := range hex {
		digit := rune(c&0x0f) + 9*rune(c>>6)
		r = r<<4 | digit&0x0f
	}
	if 0xd800 <= r && r < 0xe000 {
		return 2
	}
	return utf8.RuneLen(r)
}

// isEmptyArray reports whether data begins with [].
func isEmptyArray(data []byte) bool {
	if len(data) == 0 || data[0] != '[' {
		return false
	}
	rest := skipSpace(data[1:])
	return len(rest) > 0 && rest[0] == ']'
}
