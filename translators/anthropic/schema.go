package anthropic

import (
	"github.com/valyala/fastjson"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// appendClosed writes a schema for output_config.format: every object in it
// must say additionalProperties: false, which OpenAI demands with strict only.
// https://platform.claude.com/docs/en/build-with-claude/structured-outputs
func appendClosed(dst []byte, schema chat.Raw) []byte {
	v, err := fastjson.ParseBytes(schema)
	if err != nil {
		return append(dst, schema...)
	}
	if !closeObjects(v, new(fastjson.Arena)) {
		return append(dst, schema...)
	}
	return jsonedit.AppendValue(dst, v)
}

// closeObjects adds additionalProperties: false where an object does not say,
// and reports whether it changed anything.
func closeObjects(v *fastjson.Value, a *fastjson.Arena) bool {
	changed := false
	switch v.Type() {
	case fastjson.TypeArray:
		for _, e := range v.GetArray() {
			changed = closeObjects(e, a) || changed
		}
		return changed
	case fastjson.TypeObject:
	default:
		return false
	}
	for _, name := range []string{"items", "anyOf", "allOf", "oneOf", "not"} {
		if s := v.Get(name); s != nil {
			changed = closeObjects(s, a) || changed
		}
	}
	for _, name := range []string{"properties", "$defs", "definitions"} {
		v.GetObject(name).Visit(func(_ []byte, s *fastjson.Value) {
			changed = closeObjects(s, a) || changed
		})
	}
	if string(v.GetStringBytes("type")) == "object" && !v.Exists("additionalProperties") {
		v.Set("additionalProperties", a.NewFalse())
		changed = true
	}
	return changed
}
