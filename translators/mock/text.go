package mock

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"

	"go-ai-proxy/translators/chat"
)

// blank reports whether s has no text.
func blank(s string) bool { return strings.TrimSpace(s) == "" }

// quote is s as a JSON string, in UTF-8.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(b)
}

// quoteASCII is s as a JSON string with everything beyond ASCII escaped, as
// servers written in Python do: an emoji becomes two \u escapes.
func quoteASCII(s string) string {
	var b strings.Builder
	for _, r := range quote(s) {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case r >= 0x10000:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// quoteNth alternates between the two ways of writing a string.
func quoteNth(n int, s string) string {
	if n%2 == 1 {
		return quoteASCII(s)
	}
	return quote(s)
}

// joined is the text of all parts of a kind.
func joined(parts []chat.Part, kind chat.PartKind) string {
	var b strings.Builder
	for i := range parts {
		if parts[i].Kind == kind {
			b.WriteString(parts[i].Text.String())
		}
	}
	return b.String()
}

// calls are the tool calls among parts.
func calls(parts []chat.Part) []chat.Part {
	var cs []chat.Part
	for _, p := range parts {
		if p.Kind == chat.ToolCall {
			cs = append(cs, p)
		}
	}
	return cs
}

// sse frames data as a server-sent event; typ may be empty.
func sse(typ, data string) []byte {
	if typ == "" {
		return []byte("data: " + data + "\n\n")
	}
	return []byte("event: " + typ + "\ndata: " + data + "\n\n")
}

// decodeStrict decodes body into v and refuses members that v does not have.
func decodeStrict(body []byte, v any) error {
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// validBase64 reports whether s is something in base64.
func validBase64(s string) bool {
	b, err := base64.StdEncoding.DecodeString(s)
	return err == nil && len(b) > 0
}
