package gemini

import "go-ai-proxy/translators/jsonedit"

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
