package config

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// What Kong 3.4.2 takes in a schema: kong/db/schema/metaschema.lua and
// kong/db/schema/init.lua of that version. Functions cannot stand in JSON and are
// left out. A schema that has more keeps such a Kong from starting.
var (
	types34 = strings.Fields("array set string number boolean integer foreign map record")
	// attributes34 are the attributes of a field, and the types that may have
	// them; none: all.
	attributes34 = map[string][]string{
		"type": nil, "required": nil, "reference": nil, "description": nil, "auto": nil, "on_delete": nil, "default": nil,
		"generate_admin_api": nil, "immutable": nil, "err": nil, "encrypted": nil, "referenceable": nil,
		"eq": nil, "ne": nil, "gt": nil, "len_min": nil, "len_max": nil, "not_match": nil, "match_all": nil, "match_none": nil,
		"match_any": nil, "starts_with": nil, "not_one_of": nil, "mutually_exclusive_subsets": nil,
		"elements": nil, "keys": nil, "values": nil, "fields": nil, "entity_checks": nil,
		"between": {"integer", "number"}, "len_eq": {"array", "set", "string", "map"}, "match": {"string"},
		"one_of": {"string", "number", "integer"}, "contains": {"array", "set"}, "is_regex": {"string"},
		"timestamp": {"number", "integer"}, "uuid": {"string"},
		"unique": {"string", "number", "integer", "foreign"}, "unique_across_ws": {"string", "number", "integer", "foreign"},
	}
	// must34 are the attributes that a type must have.
	must34 = map[string][]string{"array": {"elements"}, "set": {"elements"}, "map": {"keys", "values"}, "record": {"fields"}}
	// checks34 are the rules between fields, and the members of those that are records.
	checks34 = map[string][]string{
		"at_least_one_of": nil, "only_one_of": nil, "distinct": nil, "mutually_required": nil, "mutually_exclusive": nil,
		"conditional_at_least_one_of": {"if_field", "if_match", "then_at_least_one_of", "then_err", "else_match", "else_then_at_least_one_of", "else_then_err"},
		"conditional":                 {"if_field", "if_match", "then_field", "then_match", "then_err"},
		"mutually_exclusive_sets":     {"set1", "set2"},
	}
	// matches34 are what if_match and its like may say, beside the validators.
	matches34 = strings.Fields("required elements keys values between eq ne gt len_eq len_min len_max match not_match match_all match_none match_any starts_with one_of not_one_of contains is_regex timestamp uuid mutually_exclusive_subsets")
)

// unknown34 lists what Kong 3.4 would refuse of a field.
func unknown34(path string, f map[string]any) (found []string) {
	say := func(format string, args ...any) { found = append(found, path+": "+fmt.Sprintf(format, args...)) }
	kind, _ := f["type"].(string)
	if !slices.Contains(types34, kind) {
		say("no type %q", kind)
	}
	for _, name := range must34[kind] {
		if f[name] == nil {
			say("a %s needs %s", kind, name)
		}
	}
	for name, value := range f {
		if of, known := attributes34[name]; !known || of != nil && !slices.Contains(of, kind) {
			say("no attribute %s of a %s", name, kind)
		}
		switch name {
		case "description":
			if n := len(value.(string)); n < 10 || n > 500 {
				say("a description of %d bytes: 10 to 500", n)
			}
		case "elements", "keys", "values":
			found = append(found, unknown34(path+"."+name, value.(map[string]any))...)
		case "fields":
			found = append(found, fields34(path, value)...)
		case "entity_checks":
			found = append(found, entity34(path, value)...)
		}
	}
	return found
}

func fields34(path string, list any) (found []string) {
	for _, entry := range list.([]any) {
		for name, field := range entry.(map[string]any) {
			found = append(found, unknown34(path+"."+name, field.(map[string]any))...)
		}
	}
	return found
}

func entity34(path string, list any) (found []string) {
	for _, entry := range list.([]any) {
		for name, rule := range entry.(map[string]any) {
			members, known := checks34[name]
			if !known {
				found = append(found, path+": no rule "+name)
			}
			record, _ := rule.(map[string]any)
			for member, value := range record {
				if !slices.Contains(members, member) {
					found = append(found, path+"."+name+": no member "+member)
				}
				match, _ := value.(map[string]any)
				for how := range match {
					if !slices.Contains(matches34, how) {
						found = append(found, path+"."+name+"."+member+": no validator "+how)
					}
				}
			}
		}
	}
	return found
}

func TestSchemaIsOneThatKong34Takes(t *testing.T) {
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	file := object(t, string(data))
	for name := range file {
		if name != "name" && name != "fields" {
			t.Errorf("a subschema has no %s in 3.4", name)
		}
	}
	for _, found := range fields34("", file["fields"]) {
		t.Error(found)
	}
	for text, want := range map[string]string{
		`[{"a":{"type":"json"}}]`:                                                         `.a: no type "json"`,
		`[{"a":{"type":"string","deprecation":{}}}]`:                                      ".a: no attribute deprecation of a string",
		`[{"a":{"type":"string","between":[1,2]}}]`:                                       ".a: no attribute between of a string",
		`[{"a":{"type":"array"}}]`:                                                        ".a: a array needs elements",
		`[{"a":{"type":"record","fields":[],"entity_checks":[{"x":[]}]}}]`:                ".a: no rule x",
		`[{"a":{"type":"string","description":"short"}}]`:                                 ".a: a description of 5 bytes: 10 to 500",
		`[{"a":{"type":"map","keys":{"type":"string"},"values":{"type":"json"}}}]`:        `.a.values: no type "json"`,
		`[{"a":{"type":"record","fields":[],"entity_checks":[{"conditional":{"x":1}}]}}]`: ".a.conditional: no member x",
	} {
		var fields any
		if err := json.Unmarshal([]byte(text), &fields); err != nil {
			t.Fatal(err)
		}
		if got := fields34("", fields); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
