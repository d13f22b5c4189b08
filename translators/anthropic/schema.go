package anthropic

import (
	"bytes"
	"slices"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// The limits of all strict tools and the format of one request.
// https://platform.claude.com/docs/en/build-with-claude/structured-outputs
const (
	maxStrictTools = 20
	maxOptional    = 24 // properties that are not required
	maxUnions      = 16 // properties with anyOf or several types
)

// strictSchema is a schema in the part of JSON Schema that Claude enforces. Bounds
// that it refuses go into the description of what they bound, so that the model
// still reads them.
type strictSchema struct {
	text             chat.Raw
	optional, unions int
	open             bool // it has what cannot be enforced at all: an object of any names
}

// strictOf returns the strict form of a schema; nil if the schema cannot be enforced.
func strictOf(schema chat.Raw) *strictSchema {
	v, err := jsonedit.Parse(schema)
	if err != nil || v.Type() != jsonedit.TypeObject {
		return nil
	}
	s := &strictSchema{}
	if _, recursive := chat.Inlined(schema); recursive { // "Not supported: Recursive schemas, External $ref"
		return nil
	}
	if s.text = s.append(nil, v); s.open {
		return nil
	}
	return s
}

// StrictTools returns, for each tool of r, the schema to send with strict: true, nil
// for tools that are not strict. Tools beyond the API's limits are not.
func StrictTools(r *chat.Request) []chat.Raw {
	var schemas []chat.Raw
	tools, optional, unions := 0, 0, 0
	if r.ResponseFormat.Type == "json_schema" {
		if f := strictOf(r.ResponseFormat.Schema); f != nil {
			optional, unions = f.optional, f.unions
		}
	}
	for i := range r.Tools {
		t := &r.Tools[i]
		if t.Strict == nil || !*t.Strict || t.Hosted != "" || tools == maxStrictTools {
			continue
		}
		s := strictOf(t.Parameters)
		if s == nil || optional+s.optional > maxOptional || unions+s.unions > maxUnions {
			continue
		}
		tools, optional, unions = tools+1, optional+s.optional, unions+s.unions
		if schemas == nil {
			schemas = make([]chat.Raw, len(r.Tools))
		}
		schemas[i] = s.text
	}
	return schemas
}

// The keywords whose value is a schema or a list of them, those whose value is an
// object of schemas, and those that are refused.
var (
	schemaKeywords = []string{"items", "anyOf", "allOf", "oneOf", "not"}
	objectKeywords = []string{"properties", "$defs", "definitions"}
	bounds         = []string{
		"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems", "uniqueItems",
		"minProperties", "maxProperties", "contains", "minContains", "maxContains", "propertyNames", "patternProperties", "dependentRequired",
	}
	formats = []string{"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)

// isBound says whether a keyword with this value is refused.
func isBound(name string, v *jsonedit.Value) bool {
	switch name {
	case "minItems":
		return v.GetInt() > 1
	case "format":
		return !slices.Contains(formats, string(v.GetStringBytes()))
	case "pattern": // no groups that look around, no word boundaries
		return bytes.Contains(v.GetStringBytes(), []byte("(?")) || bytes.Contains(v.GetStringBytes(), []byte(`\b`))
	}
	return slices.Contains(bounds, name)
}

// append writes a schema or a list of them.
func (s *strictSchema) append(dst []byte, v *jsonedit.Value) []byte {
	return jsonedit.AppendObjects(dst, v, s.appendOne)
}

func (s *strictSchema) appendOne(dst []byte, v *jsonedit.Value) []byte {
	var said []string
	object := v.Exists("properties") || string(v.GetStringBytes("type")) == "object"
	dst = append(dst, '{')
	v.Visit(func(key []byte, m *jsonedit.Value) {
		name := string(key)
		switch {
		case isBound(name, m):
			said = append(said, name+": "+string(jsonedit.AppendValue(nil, m)))
		case name == "description", name == "additionalProperties" && object:
			s.open = s.open || name == "additionalProperties" && m.Type() == jsonedit.TypeObject
		case name == "oneOf": // which is not known; what it excludes is rare
			dst = s.append(jsonedit.AppendName(dst, "anyOf"), m)
		case slices.Contains(schemaKeywords, name):
			dst = s.append(jsonedit.AppendKey(dst, name), m)
		case slices.Contains(objectKeywords, name) && m.Type() == jsonedit.TypeObject:
			dst = s.appendObject(jsonedit.AppendKey(dst, name), m)
		default:
			dst = jsonedit.AppendValue(jsonedit.AppendKey(dst, name), m)
		}
	})
	if object {
		s.count(v)
		dst = append(jsonedit.AppendName(dst, "additionalProperties"), "false"...)
	}
	return append(appendDescription(dst, v, said), '}')
}

// appendObject writes an object of schemas.
func (s *strictSchema) appendObject(dst []byte, v *jsonedit.Value) []byte {
	dst = append(dst, '{')
	v.Visit(func(name []byte, schema *jsonedit.Value) {
		dst = s.append(jsonedit.AppendKey(dst, name), schema)
	})
	return append(dst, '}')
}

// count counts the properties of an object against the limits.
func (s *strictSchema) count(v *jsonedit.Value) {
	required := len(v.GetArray("required"))
	properties := v.GetObject("properties")
	if properties == nil {
		return
	}
	s.optional += max(0, properties.Len()-required)
	properties.Visit(func(_ []byte, p *jsonedit.Value) {
		if p.Exists("anyOf") || p.Exists("oneOf") || len(p.GetArray("type")) > 1 {
			s.unions++
		}
	})
}

// appendDescription writes v's description with what the model is told in words.
func appendDescription(dst []byte, v *jsonedit.Value, said []string) []byte {
	d := v.GetText("description")
	if len(said) == 0 {
		return d.AppendOptional(dst, "description")
	}
	words := "(" + strings.Join(said, ", ") + ")"
	if !d.Empty() {
		words = d.String() + " " + words
	}
	return jsonedit.AppendText(dst, "description", words)
}
