package chat

import (
	"testing"

	"go-ai-proxy/translators/conformance/growth"
)

func fitted(schema string) string {
	r := &Request{Tools: []Tool{{Name: "f", Parameters: Raw(schema)}}}
	r.FitSchemas()
	return string(r.Tools[0].Parameters)
}

// What MCP servers declare, and OpenAI, Anthropic or Google refuse.
func TestSchemasOfFunctionsAreMadeWhatEveryProviderTakes(t *testing.T) {
	for _, c := range []struct{ name, schema, want string }{
		{"nothing but the type", `{"type":"object"}`, `{"type":"object","properties":{}}`},
		{"no type", `{"properties":{"a":{"type":"string"}},"additionalProperties":false}`,
			`{"type":"object","additionalProperties":false,"properties":{"a":{"type":"string"}}}`},
		{"one of two properties", `{"type":"object","description":"d","properties":{"a":{"type":"string"},"b":{"type":"string"}},"anyOf":[{"required":["a"]},{"required":["b"]}]}`,
			`{"type":"object","description":"d (anyOf: [{\"required\":[\"a\"]},{\"required\":[\"b\"]}])","properties":{"a":{"type":"string"},"b":{"type":"string"}}}`},
		{"variants of an object", `{"oneOf":[{"properties":{"k":{"const":"x"},"n":{"type":"integer"}},"required":["k","n"]},{"properties":{"k":{"const":"y"}},"required":["k"]}]}`,
			`{"type":"object","description":"(oneOf: [{\"properties\":{\"k\":{\"const\":\"x\"},\"n\":{\"type\":\"integer\"}},\"required\":[\"k\",\"n\"]},{\"properties\":{\"k\":{\"const\":\"y\"}},\"required\":[\"k\"]}])",` +
				`"properties":{"k":{"anyOf":[{"const":"x"},{"const":"y"}]},"n":{"type":"integer"}},"required":["k"]}`},
		{"parts of an object", `{"type":"object","allOf":[{"properties":{"a":{"type":"string"}},"required":["a"]},{"$ref":"#/$defs/B"}],"$defs":{"B":{"properties":{"b":{"type":"array"}}}}}`,
			`{"type":"object","$defs":{"B":{"properties":{"b":{"type":"array","items":{}}}}},"properties":{"a":{"type":"string"},"b":{"type":"array","items":{}}},"required":["a"]}`},
		{"a reference at the top", `{"$ref":"#/definitions/A","definitions":{"A":{"type":"object","properties":{"a":{"type":"string"}}}}}`,
			`{"type":"object","definitions":{"A":{"type":"object","properties":{"a":{"type":"string"}}}},"properties":{"a":{"type":"string"}}}`},
		{"a reference to itself", `{"$ref":"#/$defs/A","$defs":{"A":{"$ref":"#/$defs/A"}}}`, `{"type":"object","$defs":{"A":{"$ref":"#/$defs/A"}},"properties":{}}`},
		{"an array of anything", `{"type":"object","properties":{"a":{"type":"array","description":"d"}}}`,
			`{"type":"object","properties":{"a":{"type":"array","description":"d","items":{}}}}`},
		{"a tuple of draft 7", `{"type":"object","properties":{"a":{"type":"array","items":[{"type":"string"},{"type":"any"}],"additionalItems":false}}}`,
			`{"type":"object","properties":{"a":{"type":"array","prefixItems":[{"type":"string"},{}],"items":false}}}`},
		{"a bound of draft 4", `{"type":"object","properties":{"a":{"type":"number","minimum":0,"exclusiveMinimum":true,"maximum":9,"exclusiveMaximum":false}}}`,
			`{"type":"object","properties":{"a":{"type":"number","exclusiveMinimum":0,"maximum":9}}}`},
		{"required of draft 3", `{"type":"object","properties":{"a":{"type":"string","required":true},"b":{"type":"string","required":false}}}`,
			`{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"required":["a"]}`},
		{"Google's types", `{"type":"OBJECT","properties":{"a":{"type":"ARRAY","items":{"type":"STRING"}}}}`,
			`{"type":"object","properties":{"a":{"type":"array","items":{"type":"string"}}}}`},
	} {
		if got := fitted(c.schema); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestSchemasOfAnswersAreInTheLatestDraft(t *testing.T) {
	for schema, want := range map[string]string{
		`{"type":"object","properties":{"a":{"type":"array","items":[{"type":"string"}]}}}`:                             `{"type":"object","properties":{"a":{"type":"array","prefixItems":[{"type":"string"}],"items":{}}}}`,
		`{"type":"object","properties":{"a":{"type":"integer","minimum":0,"exclusiveMinimum":true}}}`:                   `{"type":"object","properties":{"a":{"type":"integer","exclusiveMinimum":0}}}`,
		`{"type":"object","properties":{"a":{"type":"string","required":true}}}`:                                        `{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`,
		`{"type":"object","properties":{"a":{"type":"string","anyOf":[]}}}`:                                             `{"type":"object","properties":{"a":{"type":"string"}}}`,
		`{"anyOf":[{"type":"object","properties":{"a":{"type":"string"}}},{"type":"array","items":{"type":"string"}}]}`: `{"anyOf":[{"type":"object","properties":{"a":{"type":"string"}}},{"type":"array","items":{"type":"string"}}]}`,
	} {
		r := &Request{ResponseFormat: ResponseFormat{Type: "json_schema", Schema: Raw(schema)}}
		if r.FitSchemas(); string(r.ResponseFormat.Schema) != want {
			t.Errorf("%s: got %s, want %s", schema, r.ResponseFormat.Schema, want)
		}
	}
}

func TestSchemasThatAllProvidersTakeStayAsTheyAre(t *testing.T) {
	for _, schema := range []string{
		`{"type": "object", "properties": {"a": {"type": "string", "minimum": 1}, "required": {"type": "boolean"}}, "required": [] }`,
		`{"properties":{"anyOf":{"$ref":"#/$defs/A"},"type":{"enum":["a"]}},"type":"object","$defs":{"A":{"anyOf":[{"type":"null"}]}}}`,
		`true`, ``,
	} {
		if got := fitted(schema); got != schema {
			t.Errorf("%s became %s", schema, got)
		}
	}
}

func TestFunctionsNamedWithADigitFirstGetAnotherName(t *testing.T) {
	r := &Request{Tools: []Tool{{Name: "1c_reload"}, {Name: "-x"}}, ToolChoice: ToolChoice{Mode: "function", Name: "1c_reload"}}
	r.FitTools()
	if r.Tools[0].Name != "_1c_reload" || r.Tools[0].Client.Name != "1c_reload" || r.Tools[1].Name != "_-x" || r.ToolChoice.Name != "_1c_reload" {
		t.Errorf("%+v %+v", r.Tools, r.ToolChoice)
	}
}

func TestSchemasAreFittedInLinearTime(t *testing.T) {
	growth.Check(t, func(schema []byte) { fitted(string(schema)) },
		[]byte(`{"anyOf":[{"$ref":"#"},{"required":["a"],"properties":{"a":{"const":"x","type":"array"}}}],"required":["b"]}`),
		[]byte(`{"allOf":[{"$ref":"#/$defs/A"}],"$defs":{"A":{"allOf":[{"$ref":"#/$defs/A"},{"$ref":"#/$defs/A"}],"properties":{"a":{"items":[{"required":true}]}}}}}`))
}
