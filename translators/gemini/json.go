package gemini

import (
	"strings"

	"go-ai-proxy/translators/jsonedit"
)

// isObject reports whether s is one valid JSON object.
func isObject(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ' ', '\t', '\r', '\n':
			continue
		case '{':
			return jsonedit.ValidString(s[i:]) == nil
		}
		return false
	}
	return false
}

// first returns the first of the names that v has. Both camel case and snake case are
// valid, since the format is protocol buffers in JSON.
func first(v *jsonedit.Value, names ...string) *jsonedit.Value {
	for _, n := range names {
		if m := v.Get(n); m != nil && m.Type() != jsonedit.TypeNull {
			return m
		}
	}
	return nil
}

// urlToStandard turns the letters that only base64url has into those of base64.
var urlToStandard = strings.NewReplacer("-", "+", "_", "/")

// standardBase64 returns base64 in the standard alphabet and with padding. Gemini's API
// takes either alphabet, with and without padding, as all protocol buffers in JSON do,
// and Google's SDK for Python sends the URL alphabet; other APIs take the standard one.
// https://protobuf.dev/programming-guides/json/#field-representation
func standardBase64(data jsonedit.Text) jsonedit.Text {
	s := data.String()
	if strings.IndexByte(s, '-') < 0 && strings.IndexByte(s, '_') < 0 && len(s)%4 == 0 {
		return data
	}
	return jsonedit.Plain(urlToStandard.Replace(s) + "=="[:min(-len(s)&3, 2)])
}
