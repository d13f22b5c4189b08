package openai

import (
	"slices"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// enforced returns strict for a schema: nil where the API would refuse to enforce it.
// Other makers' rules for what can be enforced are others: Claude's schemas may have
// properties that are not required.
// https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
func enforced(strict *bool, schema chat.Raw) *bool {
	if strict == nil || !*strict {
		return strict
	}
	v, err := jsonedit.Parse(schema)
	if err != nil || v.GetString("type") != "object" || v.Exists("anyOf") || !enforceable(v) {
		return nil
	}
	return strict
}

// unenforced are keywords that a schema cannot have that is enforced.
var unenforced = []string{
	"allOf", "oneOf", "not", "dependentRequired", "dependentSchemas", "if", "then", "else", "patternProperties", "propertyNames", "default", "uniqueItems",
}

// enforcedFormats are the formats of strings that one may have.
var enforcedFormats = []string{"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}

// enforceable says whether a schema, or each of a list, can be enforced.
func enforceable(v *jsonedit.Value) bool {
	switch v.Type() {
	case jsonedit.TypeArray:
		return !slices.ContainsFunc(v.GetArray(), func(s *jsonedit.Value) bool { return !enforceable(s) })
	case jsonedit.TypeObject:
	default:
		return false
	}
	if v.Exists("$ref") {
		return v.Len() == 1
	}
	if !v.Exists("type") && !v.Exists("anyOf") && !v.Exists("enum") && !v.Exists("const") {
		return false
	}
	if properties := v.GetObject("properties"); properties.Len() > 0 || v.GetString("type") == "object" {
		if v.Get("additionalProperties").Type() != jsonedit.TypeFalse || !requiresAll(v, properties) {
			return false
		}
	}
	ok := true
	v.Visit(func(key []byte, m *jsonedit.Value) {
		switch name := string(key); name {
		case "items", "anyOf":
			ok = ok && enforceable(m)
		case "properties", "$defs", "definitions":
			m.Visit(func(_ []byte, s *jsonedit.Value) { ok = ok && enforceable(s) })
		case "format":
			ok = ok && slices.Contains(enforcedFormats, m.GetString())
		default:
			ok = ok && !slices.Contains(unenforced, name)
		}
	})
	return ok
}

// requiresAll says whether an object requires each of its properties.
func requiresAll(v, properties *jsonedit.Value) bool {
	required := map[string]bool{}
	for _, name := range v.GetArray("required") {
		required[name.GetString()] = true
	}
	all := true
	properties.Visit(func(name []byte, _ *jsonedit.Value) { all = all && required[string(name)] })
	return all
}
