package chat

import (
	"bytes"
	"slices"
	"strings"

	"go-ai-proxy/translators/jsonedit"
)

// FitTools gives the functions of r, and the calls in its history, names that every provider
// takes, and the functions schemas: see FitSchemas. Meta.Tools has the client's names for the
// answer.
func (r *Request) FitTools() {
	nameTools(r)
	r.FitSchemas()
}

// FitSchemas gives the functions of r, and its answer, schemas that every provider takes.
func (r *Request) FitSchemas() {
	if f := &r.ResponseFormat; jsonedit.IsObject(f.Schema) && isSuspicious(f.Schema) {
		if v, err := jsonedit.Parse(f.Schema); err == nil {
			f.Schema = appendPlain(nil, v)
		}
	}
	for i := range r.Tools {
		t := &r.Tools[i]
		if t.Hosted == "" && jsonedit.IsObject(t.Parameters) && !isPlain(t.Parameters) {
			t.Parameters = plainSchema(t.Parameters)
		}
		r.oddProperties = r.oddProperties || hasOddProperties(t)
	}
}

// What servers of tools write and providers refuse: keywords of older drafts of JSON
// Schema, types that it does not have, arrays that do not say of what. It may stand
// anywhere, so it is looked for as text first.
//
//	"JSON schema is invalid. It must match JSON Schema draft 2020-12"
//	"array schema missing items"
var suspicious = []string{
	`"array"`, `"exclusiveM`, `"items":[`, `"items": [`, `"required":true`, `"required": true`, `"required":false`, `"required": false`, `"any"`,
	`"anyOf":[]`, `"anyOf": []`, `"oneOf":[]`, `"oneOf": []`, `"allOf":[]`, `"allOf": []`, `"OBJECT"`, `"ARRAY"`, `"STRING"`, `"NUMBER"`, `"INTEGER"`, `"BOOLEAN"`,
}

// folded are keywords that providers refuse at the top of a function's schema: "schema
// must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top
// level", "input_schema does not support oneOf, allOf, or anyOf at the top level".
var folded = []string{"oneOf", "anyOf", "allOf", "enum", "not", "$ref"}

// isPlain says whether a schema is one that every provider takes; it may say no of one
// that is.
func isPlain(schema Raw) bool {
	object, properties := false, false
	for m := jsonedit.Walk(schema); m.Next(); {
		switch key := string(m.Key); {
		case key == "type":
			object = string(m.Value) == `"object"`
		case key == "properties":
			properties = jsonedit.IsObject(m.Value)
		case slices.Contains(folded, key):
			return false
		}
	}
	return object && properties && !isSuspicious(schema)
}

// isSuspicious says whether a schema may have what providers refuse.
func isSuspicious(schema Raw) bool {
	return slices.ContainsFunc(suspicious, func(words string) bool { return jsonedit.Contains(schema, words) })
}

// plainSchema returns a schema as every provider takes it: an object with properties at
// the top, in the latest draft.
func plainSchema(schema Raw) Raw {
	v, err := jsonedit.Parse(schema)
	if err != nil || v.Type() != jsonedit.TypeObject {
		return schema
	}
	o := objectSchema{root: v, at: map[string]int{}, requires: map[string]bool{}}
	o.gather(v)
	return o.append(nil)
}

// objectSchema is the top of a function's schema: what its alternatives say is folded
// into it.
type objectSchema struct {
	root       *jsonedit.Value
	gathered   int // how many schemas were
	properties []property
	at         map[string]int // of a property, by its name
	required   []string
	requires   map[string]bool
	said       []string // what cannot be folded, for the description
}

// property is a property of an object, with each schema that it has in one of the
// alternatives.
type property struct {
	name    string
	schemas [][]byte
}

const (
	// mostGathered is how many schemas are folded: a reference may lead to itself.
	mostGathered = 100
	// mostSchemas is how many a property may have before it may be anything.
	mostSchemas = 16
	// longestSaid is how much of what cannot be folded is said, in bytes.
	longestSaid = 2000
)

// gather adds what v, which must hold, says of the object.
func (o *objectSchema) gather(v *jsonedit.Value) {
	if o.gathered++; v.Type() != jsonedit.TypeObject || o.gathered > mostGathered {
		return
	}
	o.adds(v)
	o.require(requiredOf(v))
	if target := resolve(o.root, v.GetString("$ref")); target != nil {
		o.gather(target)
	}
	for _, branch := range v.GetArray("allOf") {
		o.gather(branch)
	}
	for _, name := range []string{"anyOf", "oneOf", "not", "enum"} {
		if m := v.Get(name); m != nil {
			o.alternatives(m.GetArray())
			o.say(name, m)
		}
	}
}

// alternatives adds the properties of all, and requires what each of them does.
func (o *objectSchema) alternatives(branches []*jsonedit.Value) {
	times := map[string]int{}
	for _, branch := range branches {
		if o.gathered++; o.gathered > mostGathered {
			return
		}
		if target := resolve(o.root, branch.GetString("$ref")); target != nil {
			branch = target
		}
		o.adds(branch)
		for _, name := range requiredOf(branch) {
			if times[name]++; times[name] == len(branches) {
				o.require([]string{name})
			}
		}
	}
}

// adds adds the properties of v.
func (o *objectSchema) adds(v *jsonedit.Value) {
	v.GetObject("properties").Visit(func(name []byte, p *jsonedit.Value) {
		schema := appendPlain(nil, p)
		i, known := o.at[string(name)]
		if !known {
			o.at[string(name)] = len(o.properties)
			o.properties = append(o.properties, property{name: string(name), schemas: [][]byte{schema}})
			return
		}
		one := &o.properties[i]
		switch {
		case slices.ContainsFunc(one.schemas, func(s []byte) bool { return bytes.Equal(s, schema) }):
		case len(one.schemas) < mostSchemas:
			one.schemas = append(one.schemas, schema)
		default:
			one.schemas[0] = []byte("{}")
		}
	})
}

func (o *objectSchema) require(names []string) {
	for _, name := range names {
		if !o.requires[name] {
			o.requires[name] = true
			o.required = append(o.required, name)
		}
	}
}

func (o *objectSchema) say(name string, v *jsonedit.Value) {
	if words := name + ": " + string(jsonedit.AppendValue(nil, v)); len(words) <= longestSaid {
		o.said = append(o.said, words)
	}
}

// append writes the object.
func (o *objectSchema) append(dst []byte) []byte {
	dst = append(dst, `{"type":"object"`...)
	o.root.Visit(func(key []byte, m *jsonedit.Value) {
		switch name := string(key); {
		case name == "type", name == "properties", name == "required", name == "description" && len(o.said) > 0, slices.Contains(folded, name):
		default:
			dst = appendKeyword(dst, name, m)
		}
	})
	if len(o.said) > 0 {
		words := o.root.GetString("description") + " (" + strings.Join(o.said, ", ") + ")"
		dst = jsonedit.AppendText(dst, "description", strings.TrimSpace(words))
	}
	dst = append(jsonedit.AppendName(dst, "properties"), '{')
	for i := range o.properties {
		p := &o.properties[i]
		dst = jsonedit.AppendKey(dst, p.name)
		if len(p.schemas) == 1 {
			dst = append(dst, p.schemas[0]...)
			continue
		}
		dst = append(append(append(dst, `{"anyOf":[`...), bytes.Join(p.schemas, []byte(","))...), "]}"...)
	}
	return append(jsonedit.AppendTexts(append(dst, '}'), "required", o.required), '}')
}

// requiredOf returns the names that an object requires: those of its list and, as in
// draft 3, those whose own schema says so.
func requiredOf(v *jsonedit.Value) []string {
	var names []string
	for _, name := range v.GetArray("required") {
		if s, err := name.StringBytes(); err == nil {
			names = append(names, string(s))
		}
	}
	v.GetObject("properties").Visit(func(name []byte, p *jsonedit.Value) {
		if p.GetBool("required") {
			names = append(names, string(name))
		}
	})
	return names
}

// The keywords whose value is a schema or a list of them, and those whose value is an
// object of schemas.
var (
	withSchemas = []string{
		"items", "anyOf", "oneOf", "allOf", "prefixItems", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else",
	}
	withObjects = []string{"properties", "$defs", "definitions", "patternProperties", "dependentSchemas"}
)

// appendPlain writes a schema or a list of them in the latest draft.
func appendPlain(dst []byte, v *jsonedit.Value) []byte {
	return jsonedit.AppendObjects(dst, v, appendPlainSchema)
}

func appendPlainSchema(dst []byte, v *jsonedit.Value) []byte {
	dst = append(dst, '{')
	v.Visit(func(key []byte, m *jsonedit.Value) {
		switch name := string(key); name {
		case "required":
		case "items":
			dst = appendItems(dst, m, v.Get("additionalItems"))
		case "additionalItems":
			if v.Get("items").Type() != jsonedit.TypeArray {
				dst = appendKeyword(dst, name, m)
			}
		case "minimum", "maximum": // draft 4 says of a bound whether it is excluded
			if v.GetBool(exclusive(name)) {
				name = exclusive(name)
			}
			dst = jsonedit.AppendValue(jsonedit.AppendName(dst, name), m)
		case "exclusiveMinimum", "exclusiveMaximum":
			if m.Type() == jsonedit.TypeNumber {
				dst = jsonedit.AppendValue(jsonedit.AppendName(dst, name), m)
			}
		default:
			dst = appendKeyword(dst, name, m)
		}
	})
	if strings.EqualFold(v.GetString("type"), "array") && !v.Exists("items") {
		dst = append(jsonedit.AppendName(dst, "items"), "{}"...)
	}
	return append(jsonedit.AppendTexts(dst, "required", requiredOf(v)), '}')
}

// exclusive is the keyword of the same bound that is not among the values.
func exclusive(bound string) string { return "exclusiveM" + bound[1:] }

// appendItems writes items. A list of schemas, one for each of the first items, has
// another name since draft 2020-12, and items are the rest.
func appendItems(dst []byte, items, rest *jsonedit.Value) []byte {
	if items.Type() != jsonedit.TypeArray {
		return appendPlain(jsonedit.AppendName(dst, "items"), items)
	}
	dst = appendPlain(jsonedit.AppendName(dst, "prefixItems"), items)
	if dst = jsonedit.AppendName(dst, "items"); rest == nil {
		return append(dst, "{}"...)
	}
	return appendPlain(dst, rest)
}

// appendKeyword writes a keyword that has no other name.
func appendKeyword(dst []byte, name string, v *jsonedit.Value) []byte {
	switch {
	case name == "type":
		return appendType(dst, v)
	case slices.Contains(withSchemas, name) && v.Type() == jsonedit.TypeArray && len(v.GetArray()) == 0:
		return dst // "anyOf must be a non-empty array"
	case slices.Contains(withSchemas, name):
		return appendPlain(jsonedit.AppendKey(dst, name), v)
	case slices.Contains(withObjects, name) && v.Type() == jsonedit.TypeObject:
		dst = append(jsonedit.AppendKey(dst, name), '{')
		v.Visit(func(key []byte, schema *jsonedit.Value) {
			dst = appendPlain(jsonedit.AppendKey(dst, key), schema)
		})
		return append(dst, '}')
	}
	return jsonedit.AppendValue(jsonedit.AppendKey(dst, name), v)
}

// appendType writes a type in lower case, as JSON Schema has it, and "any" as none.
func appendType(dst []byte, v *jsonedit.Value) []byte {
	if v.Type() != jsonedit.TypeString {
		return jsonedit.AppendValue(jsonedit.AppendName(dst, "type"), v)
	}
	if t := strings.ToLower(v.GetString()); t != "any" {
		dst = jsonedit.AppendText(dst, "type", t)
	}
	return dst
}
