package anthropic

import (
	"slices"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// appendClosed writes a schema for output_config.format. Every object in it must have
// additionalProperties: false, which OpenAI only requires with strict.
// https://platform.claude.com/docs/en/build-with-claude/structured-outputs
func appendClosed(dst []byte, schema chat.Raw) []byte {
	v, err := jsonedit.Parse(schema)
	if err != nil {
		return append(dst, schema...)
	}
	return appendClosedSchema(dst, v)
}

// The keywords whose value is a schema or a list of them, and those whose value
// is an object of schemas.
var (
	schemaKeywords = []string{"items", "anyOf", "allOf", "oneOf", "not"}
	objectKeywords = []string{"properties", "$defs", "definitions"}
)

// appendClosedSchema writes a schema or a list of schemas, and adds
// additionalProperties: false to objects without additionalProperties.
func appendClosedSchema(dst []byte, v *jsonedit.Value) []byte {
	switch v.Type() {
	case jsonedit.TypeArray:
		dst = append(dst, '[')
		for i, schema := range v.GetArray() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendClosedSchema(dst, schema)
		}
		return append(dst, ']')
	case jsonedit.TypeObject:
	default:
		return jsonedit.AppendValue(dst, v)
	}
	dst = appendMembers(dst, v, func(dst []byte, name string, m *jsonedit.Value) []byte {
		switch {
		case slices.Contains(schemaKeywords, name):
			return appendClosedSchema(dst, m)
		case slices.Contains(objectKeywords, name) && m.Type() == jsonedit.TypeObject:
			return appendMembers(dst, m, func(dst []byte, _ string, schema *jsonedit.Value) []byte {
				return appendClosedSchema(dst, schema)
			})
		}
		return jsonedit.AppendValue(dst, m)
	})
	if string(v.GetStringBytes("type")) == "object" && !v.Exists("additionalProperties") {
		dst = append(dst[:len(dst)-1], `,"additionalProperties":false}`...) // type stands before the comma
	}
	return dst
}

// appendMembers writes the object v, with write for the value of each member.
func appendMembers(dst []byte, v *jsonedit.Value, write func(dst []byte, name string, m *jsonedit.Value) []byte) []byte {
	dst = append(dst, '{')
	v.Visit(func(name []byte, m *jsonedit.Value) {
		dst = write(jsonedit.AppendKey(dst, name), string(name), m)
	})
	return append(dst, '}')
}
