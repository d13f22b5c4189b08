package gemini

import (
	"errors"

	"github.com/valyala/fastjson"

	"go-ai-proxy/translators/chat"
)

// appendSchema writes a JSON schema. Google has two members for one: the older
// takes a part of OpenAPI's schema and refuses every other keyword, the newer
// takes JSON schema but is unknown to older models. So a schema that fits goes
// to the older, any other to the newer, and no keyword is ever cut away.
func appendSchema(dst []byte, openAPI, jsonSchema string, schema chat.Raw) ([]byte, error) {
	if schema == nil || string(schema) == "null" {
		return dst, nil
	}
	v, err := fastjson.ParseBytes(schema)
	if err != nil || v.Type() != fastjson.TypeObject {
		return nil, errors.New("must be a JSON schema object")
	}
	if fitsOpenAPI(v) {
		return raw(dst, openAPI, schema), nil
	}
	return raw(dst, jsonSchema, schema), nil
}

// openAPIKeywords are those of Schema but for the ones that fitsOpenAPI looks
// into. https://ai.google.dev/api/caching#Schema
var openAPIKeywords = map[string]bool{
	"title": true, "description": true, "nullable": true, "maxItems": true, "minItems": true, "required": true,
	"minProperties": true, "maxProperties": true, "minLength": true, "maxLength": true, "pattern": true,
	"example": true, "propertyOrdering": true, "default": true, "minimum": true, "maximum": true,
}

// fitsOpenAPI says whether v has only what Google's Schema has.
func fitsOpenAPI(v *fastjson.Value) bool {
	o, err := v.Object()
	if err != nil {
		return false
	}
	typ := string(v.GetStringBytes("type"))
	if typ == "" && !v.Exists("anyOf") {
		return false
	}
	if typ == "object" && v.GetObject("properties").Len() == 0 {
		return false // "should be non-empty for OBJECT type"
	}
	if typ == "array" && !v.Exists("items") {
		return false
	}
	fits := true
	o.Visit(func(key []byte, m *fastjson.Value) {
		fits = fits && keywordFits(string(key), typ, m)
	})
	return fits
}

func keywordFits(key, typ string, v *fastjson.Value) bool {
	switch key {
	case "type":
		return v.Type() == fastjson.TypeString && typ != "null"
	case "format":
		return typ != "string" || string(v.GetStringBytes()) == "date-time"
	case "enum":
		for _, e := range v.GetArray() {
			if e.Type() != fastjson.TypeString || typ != "string" {
				return false
			}
		}
		return true
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
		fits := v.Type() == fastjson.TypeObject
		v.GetObject().Visit(func(_ []byte, s *fastjson.Value) { fits = fits && fitsOpenAPI(s) })
		return fits
	}
	return openAPIKeywords[key]
}
