package gemini

import (
	"errors"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// appendSchema writes a JSON schema. Google has two members for one: the older
// takes a part of OpenAPI's schema and refuses every other keyword, the newer
// takes JSON schema but is unknown to older models. So a schema that fits goes
// to the older, any other to the newer, and no keyword is cut away but for values of
// an enum that both refuse.
func appendSchema(dst []byte, openAPI, jsonSchema string, schema chat.Raw) ([]byte, error) {
	if schema == nil || string(schema) == "null" {
		return dst, nil
	}
	v, err := jsonedit.Parse(schema)
	if err != nil || v.Type() != jsonedit.TypeObject {
		return nil, errors.New("must be a JSON schema object")
	}
	if fitsOpenAPI(v) {
		return jsonedit.AppendRaw(dst, openAPI, schema), nil
	}
	if jsonedit.Contains(schema, `"$ref"`) && refersBesides(v) {
		schema, _ = chat.Inlined(schema)
		if v, err = jsonedit.Parse(schema); err != nil {
			return nil, err
		}
	}
	return appendTaken(jsonedit.AppendName(dst, jsonSchema), v), nil
}

// refersBesides says whether a reference has a keyword beside it: "If $ref is set on a
// sub-schema, no other properties, except for than those starting as a $, may be set."
// https://ai.google.dev/api/generate-content#GenerationConfig
func refersBesides(v *jsonedit.Value) bool {
	found := false
	switch v.Type() {
	case jsonedit.TypeArray:
		for _, item := range v.GetArray() {
			found = found || refersBesides(item)
		}
	case jsonedit.TypeObject:
		refers := v.Get("$ref").Type() == jsonedit.TypeString
		v.Visit(func(key []byte, m *jsonedit.Value) {
			found = found || refers && !strings.HasPrefix(string(key), "$") || refersBesides(m)
		})
	}
	return found
}

// appendTaken writes a JSON schema without empty values of enums, without enums that have
// no others ("enum[2]: cannot be empty"), and without names of required properties that it
// does not have ("required[0]: property is not defined").
//
//	https://github.com/iBUHub/AIStudioToAPI/issues/154
func appendTaken(dst []byte, v *jsonedit.Value) []byte {
	return jsonedit.AppendObjects(dst, v, appendTakenSchema)
}

func appendTakenSchema(dst []byte, v *jsonedit.Value) []byte {
	dst = append(dst, '{')
	v.GetObject().Visit(func(key []byte, m *jsonedit.Value) {
		name, taken := string(key), func(e *jsonedit.Value) bool { return !isBlank(e) }
		if name == "required" {
			taken = func(e *jsonedit.Value) bool { return v.Exists("properties", e.GetString()) }
		}
		if name != "enum" && name != "required" || m.Type() != jsonedit.TypeArray { // a property may be called enum
			dst = appendTaken(jsonedit.AppendKey(dst, key), m)
			return
		}
		start := len(dst)
		dst = append(jsonedit.AppendKey(dst, key), '[')
		empty := len(dst)
		for _, e := range m.GetArray() {
			if taken(e) {
				dst = jsonedit.AppendValue(jsonedit.AppendComma(dst), e)
			}
		}
		if len(dst) == empty {
			dst = dst[:start]
			return
		}
		dst = append(dst, ']')
	})
	return append(dst, '}')
}

// isBlank says whether a value of an enum is the empty string.
func isBlank(e *jsonedit.Value) bool {
	return e.Type() == jsonedit.TypeString && len(e.GetStringBytes()) == 0
}

// openAPIKeywords lists the keywords of Schema, except for those that fitsOpenAPI
// checks further. https://ai.google.dev/api/caching#Schema
var openAPIKeywords = map[string]bool{
	"title": true, "description": true, "nullable": true, "maxItems": true, "minItems": true, "required": true,
	"minProperties": true, "maxProperties": true, "minLength": true, "maxLength": true, "pattern": true,
	"example": true, "propertyOrdering": true, "default": true, "minimum": true, "maximum": true,
}

// fitsOpenAPI reports whether v only has what Google's Schema has.
func fitsOpenAPI(v *jsonedit.Value) bool {
	o, err := v.Object()
	if err != nil {
		return false
	}
	typ := string(v.GetStringBytes("type"))
	switch any := v.Exists("anyOf"); {
	case typ == "" && !any, any && o.Len() > 1: // "specified other fields alongside any_of"
		return false
	}
	if properties := v.GetObject("properties"); typ == "object" && (properties == nil || properties.Len() == 0) {
		return false // "should be non-empty for OBJECT type"
	}
	if typ == "array" && !v.Exists("items") {
		return false
	}
	fits := true
	for _, name := range v.GetArray("required") {
		fits = fits && v.Exists("properties", name.GetString())
	}
	o.Visit(func(key []byte, m *jsonedit.Value) {
		fits = fits && keywordFits(string(key), typ, m)
	})
	return fits
}

func keywordFits(key, typ string, v *jsonedit.Value) bool {
	switch key {
	case "type":
		return v.Type() == jsonedit.TypeString && typ != "null"
	case "format":
		return typ != "string" || string(v.GetStringBytes()) == "date-time"
	case "enum":
		for _, e := range v.GetArray() {
			if e.Type() != jsonedit.TypeString || isBlank(e) || typ != "string" {
				return false
			}
		}
		return len(v.GetArray()) > 0
	case "items":
		return fitsOpenAPI(v)
	case "anyOf":
		for _, s := range v.GetArray() {
			if !fitsOpenAPI(s) {
				return false
			}
		}
		return true
	case "properties":
		fits := v.Type() == jsonedit.TypeObject
		v.GetObject().Visit(func(_ []byte, s *jsonedit.Value) { fits = fits && fitsOpenAPI(s) })
		return fits
	}
	return openAPIKeywords[key]
}

// schemaOf returns the JSON schema of the member that a client used, or nil if there
// is none.
func schemaOf(openAPI, jsonSchema *jsonedit.Value) chat.Raw {
	switch {
	case jsonSchema != nil:
		return jsonedit.AppendValue(nil, jsonSchema)
	case openAPI != nil && openAPI.Type() == jsonedit.TypeObject:
		return appendJSONSchema(nil, openAPI)
	}
	return nil
}

// snakeKeywords are the keywords that Google's SDK for Python may write in snake case.
var snakeKeywords = map[string]string{
	"any_of": "anyOf", "property_ordering": "propertyOrdering", "max_items": "maxItems", "min_items": "minItems", "max_length": "maxLength",
	"min_length": "minLength", "max_properties": "maxProperties", "min_properties": "minProperties", "additional_properties": "additionalProperties",
}

// appendJSONSchema writes Google's Schema as JSON schema: types in lower case,
// nullable as a type, numbers that are strings as numbers, and keywords in camel case.
func appendJSONSchema(dst []byte, v *jsonedit.Value) []byte {
	if v.Type() != jsonedit.TypeObject {
		return jsonedit.AppendValue(dst, v)
	}
	dst = append(dst, '{')
	v.GetObject().Visit(func(key []byte, m *jsonedit.Value) {
		name := string(key)
		if camel := snakeKeywords[name]; camel != "" {
			name = camel
		}
		switch name {
		case "nullable", "propertyOrdering":
			return
		case "type":
			typ := strings.ToLower(string(m.GetStringBytes()))
			if !v.GetBool("nullable") {
				dst = jsonedit.AppendText(dst, name, typ)
				return
			}
			dst = append(jsonedit.AppendString(append(jsonedit.AppendName(dst, name), '['), typ), `,"null"]`...)
		case "items":
			dst = appendJSONSchema(jsonedit.AppendName(dst, name), m)
		case "properties":
			dst = append(jsonedit.AppendName(dst, name), '{')
			m.GetObject().Visit(func(key []byte, p *jsonedit.Value) {
				dst = appendJSONSchema(jsonedit.AppendKey(dst, key), p)
			})
			dst = append(dst, '}')
		case "anyOf":
			dst = append(jsonedit.AppendName(dst, name), '[')
			for _, s := range m.GetArray() {
				dst = appendJSONSchema(jsonedit.AppendComma(dst), s)
			}
			dst = append(dst, ']')
		case "maxItems", "minItems", "maxLength", "minLength", "maxProperties", "minProperties":
			var n chat.Number
			if setNumber(&n, m) == nil {
				dst = jsonedit.AppendRaw(dst, name, n)
			}
		default:
			dst = jsonedit.AppendValue(jsonedit.AppendKey(dst, name), m)
		}
	})
	return append(dst, '}')
}
