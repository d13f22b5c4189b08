package chat

import (
	"encoding/json"
	"strings"
	"testing"

	"go-ai-proxy/translators/conformance/growth"
	"go-ai-proxy/translators/conformance/workload"
)

func TestReferencesAreReplacedByWhatTheyReferTo(t *testing.T) {
	for _, c := range []struct {
		name, schema, want string
		recursive          bool
	}{
		{"none", `{"type": "object"}`, `{"type": "object"}`, false},
		{"a definition", `{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":"string"}}}`, `{"type":"object","properties":{"a":{"type":"string"}}}`, false},
		{"a definition of draft 7", `{"properties":{"a":{"$ref":"#/definitions/A"}},"definitions":{"A":{"enum":[1]}}}`, `{"properties":{"a":{"enum":[1]}}}`, false},
		{"what stands beside counts", `{"items":{"$ref":"#/$defs/A","description":"mine"},"$defs":{"A":{"type":"string","description":"its"}}}`, `{"items":{"description":"mine","type":"string"}}`, false},
		{"a definition of a definition", `{"items":{"$ref":"#/$defs/A"},"$defs":{"A":{"anyOf":[{"$ref":"#/$defs/B"},{"type":"null"}]},"B":{"type":"integer"}}}`, `{"items":{"anyOf":[{"type":"integer"},{"type":"null"}]}}`, false},
		{"itself", `{"properties":{"next":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":"object","description":"d","properties":{"next":{"$ref":"#/$defs/A"}}}}}`,
			`{"properties":{"next":{"type":"object","description":"d","properties":{"next":{"type":"object","description":"d"}}}}}`, true},
		{"the root", `{"type":"object","properties":{"next":{"$ref":"#"}},"$defs":{"A":{}}}`, `{"type":"object","properties":{"next":{"type":"object","properties":{"next":{"type":"object"}}}}}`, true},
		{"another document", `{"items":{"$ref":"https://x.test/a.json","type":"string"}}`, `{"items":{"type":"string"}}`, true},
		{"nothing", `{"items":{"$ref":"#/$defs/A"}}`, `{"items":{}}`, true},
		{"a property of that name", `{"properties":{"$ref":{"type":"string"},"$defs":{"type":"string"}}}`, `{"properties":{"$ref":{"type":"string"},"$defs":{"type":"string"}}}`, false},
	} {
		if got, recursive := Inlined(Raw(c.schema)); string(got) != c.want || recursive != c.recursive {
			t.Errorf("%s:\n got %s, %v\nwant %s", c.name, got, recursive, c.want)
		}
	}
}

// doubling is a schema of which each definition refers to the next twice.
func doubling(depth int) string {
	var b strings.Builder
	b.WriteString(`{"items":{"$ref":"#/$defs/a"},"$defs":{`)
	for i := range depth {
		b.WriteString(`"` + strings.Repeat("a", i+1) + `":{"properties":{"l":{"$ref":"#/$defs/` + strings.Repeat("a", i+2) + `"},"r":{"$ref":"#/$defs/` + strings.Repeat("a", i+2) + `"}}},`)
	}
	return b.String() + `"end":{}}}`
}

func TestASchemaThatGrowsWithEachReferenceIsCut(t *testing.T) {
	got, recursive := Inlined(Raw(doubling(60)))
	if len(got) > 2*longestInlined || !recursive || !json.Valid(got) {
		t.Errorf("%d bytes, recursive %v", len(got), recursive)
	}
}

func TestReferencesAreReplacedInLinearTime(t *testing.T) {
	growth.Check(t, func(schema []byte) { Inlined(Raw(schema)) },
		[]byte(`{"items":{"$ref":"#"}}`), []byte(`{"allOf":[{"$ref":"#/$defs/A"}],"$defs":{"A":{"allOf":[{"$ref":"#/$defs/A"},{"$ref":"#"}],"properties":{"a":{"type":"string"}}}}}`))
}

func FuzzInlined(f *testing.F) {
	f.Add([]byte(`{"properties":{"next":{"$ref":"#/$defs/A"}},"$defs":{"A":{"properties":{"next":{"$ref":"#/$defs/A","type":"object"}}}}}`))
	f.Add([]byte(doubling(9)))
	f.Fuzz(func(t *testing.T, schema []byte) {
		defer workload.Linear(t, len(schema))()
		if got, _ := Inlined(schema); json.Valid(schema) && !json.Valid(got) {
			t.Errorf("%s became %s", schema, got)
		}
	})
}
