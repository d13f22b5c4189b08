package config

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go-ai-proxy/translators"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

const schemaFile = "../../schema.json"

// schema is schema.json.
var schema *Schema

func TestMain(m *testing.M) {
	data, err := os.ReadFile(schemaFile)
	if err == nil {
		schema, err = NewSchema(data)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// object decodes a JSON object.
func object(t testing.TB, text string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// lines returns the problems of an error, each as "field: message", sorted.
func lines(err error) []string {
	var p Problems
	if !errors.As(err, &p) {
		return nil
	}
	var all []string
	for _, one := range p {
		all = append(all, one.Field+": "+one.Message)
	}
	slices.Sort(all)
	return all
}

// testdata/kong.jsonl holds configurations and what Kong 3.9.3's own schema
// code makes of them with schema.json: its errors, or the configuration as it
// goes to a plugin. PROVIDERS and ROUTE TYPES stand for the schema's lists, which grow.
func TestProcessAgreesWithKong(t *testing.T) {
	lists := strings.NewReplacer("PROVIDERS", strings.Join(translators.Names(), ", "), "ROUTE TYPES", route.Join(route.All, ", "))
	f, err := os.Open("testdata/kong.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for scan := bufio.NewScanner(f); scan.Scan(); n++ {
		var c struct {
			Name      string
			Config    map[string]any
			Errors    []string
			Processed map[string]any
		}
		if err := json.Unmarshal(scan.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		t.Run(c.Name, func(t *testing.T) {
			before, _ := json.Marshal(c.Config)
			got, err := schema.Process(c.Config)
			for i := range c.Errors {
				c.Errors[i] = lists.Replace(c.Errors[i])
			}
			slices.Sort(c.Errors)
			if l := lines(err); !slices.Equal(l, c.Errors) {
				t.Errorf("errors\n got %q\nwant %q", l, c.Errors)
			}
			if c.Errors == nil && !reflect.DeepEqual(got, c.Processed) {
				a, _ := json.Marshal(got)
				b, _ := json.Marshal(c.Processed)
				t.Errorf("processed\n got %s\nwant %s", a, b)
			}
			if after, _ := json.Marshal(c.Config); !bytes.Equal(before, after) {
				t.Errorf("the input was changed: %s", after)
			}
		})
	}
	if n < 90 {
		t.Errorf("only %d cases", n)
	}
}

func TestProcessAcceptsDecodedYAML(t *testing.T) {
	raw := object(t, `{"route_type":"llm/v1/chat","model":{"provider":"openai"}}`)
	raw["max_request_body_size"] = 100
	raw["model"].(map[string]any)["options"] = map[string]any{"top_k": uint64(40), "max_tokens": int64(5), "temperature": 1}
	if _, err := schema.Process(raw); err != nil {
		t.Fatal(err)
	}
}

func TestNewSchemaRefusesAttributesItWouldIgnore(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":               `{`,
		"no config":             `{"name":"x","fields":[]}`,
		"unknown attribute":     `{"fields":[{"config":{"type":"record","fields":[{"a":{"type":"string","len_eq":5}}]}}]}`,
		"unknown check":         `{"fields":[{"config":{"type":"record","fields":[],"entity_checks":[{"distinct":["a","b"]}]}}]}`,
		"unknown match":         `{"fields":[{"config":{"type":"record","fields":[{"a":{"type":"string"}}],"entity_checks":[{"conditional":{"if_field":"a","if_match":{"len_min":1},"then_field":"a","then_match":{}}}]}}]}`,
		"check without a field": `{"fields":[{"config":{"type":"record","fields":[],"entity_checks":[{"only_one_of":["a"]}]}}]}`,
		"two names":             `{"fields":[{"config":{"type":"record","fields":[{"a":{"type":"string"},"b":{"type":"string"}}]}}]}`,
		"array of nothing":      `{"fields":[{"config":{"type":"record","fields":[{"a":{"type":"array"}}]}}]}`,
		"map of nothing":        `{"fields":[{"config":{"type":"record","fields":[{"a":{"type":"map","keys":{"type":"string"}}}]}}]}`,
		"map of numbers":        `{"fields":[{"config":{"type":"record","fields":[{"a":{"type":"map","keys":{"type":"string"},"values":{"type":"number"}}}]}}]}`,
		"half a range":          `{"fields":[{"config":{"type":"record","fields":[{"a":{"type":"number","between":[1]}}]}}]}`,
		"a Lua pattern":         `{"fields":[{"config":{"type":"record","fields":[{"a":{"type":"string","match_any":{"patterns":["%w"]}}}]}}]}`,
		"a broken pattern":      `{"fields":[{"config":{"type":"record","fields":[{"a":{"type":"string","match_any":{"patterns":["("]}}}]}}]}`,
	} {
		if _, err := NewSchema([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// flatten lists all fields of the schema by path.
func flatten(path string, f *field, into map[string]*field) {
	into[path] = f
	if f.Elements != nil {
		flatten(path+"[]", f.Elements, into)
	}
	for _, m := range f.Fields {
		flatten(path+"."+m.name, m.field, into)
	}
}

func fields() map[string]*field {
	all := map[string]*field{}
	flatten("config", schema.config, all)
	return all
}

// Kong's documentation publishes both schemas: every field, default, value and
// range of theirs is one of ours, and we have no others but those of own.
func TestSchemaHasEveryFieldOfKong(t *testing.T) {
	const dir = "../../../shared/spec/data/kong-docs-schemas-3.15/"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("Kong's schemas are not here: ", err)
	}
	ours, seen := fields(), map[string]bool{}
	for _, name := range []string{"AiProxy", "AiProxyAdvanced"} {
		f, err := os.Open(dir + name + ".flat.csv")
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(f).ReadAll()
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows[1:] {
			path := row[0]
			seen[path] = true
			if ours[path] == nil {
				t.Errorf("%s: missing", path)
				continue
			}
			for _, diff := range differences(path, ours[path], row) {
				t.Errorf("%s: %s (%s)", path, diff, name)
			}
		}
	}
	for path := range ours {
		if !seen[path] && !slices.ContainsFunc(ownFields, func(re *regexp.Regexp) bool { return re.MatchString(path) }) {
			t.Errorf("%s: Kong has no such field", path)
		}
	}
}

// ownValues are values of Kong's fields that Kong does not have.
var ownValues = map[string][]string{"config.balancer.algorithm": {"affinity"}}

// ownFields are the fields that Kong does not have. None has a default, so that a
// configuration of Kong's reads the same.
var ownFields = []*regexp.Regexp{
	regexp.MustCompile(`^config\.(debug|propagate_trace)$`),
	regexp.MustCompile(`^config\.budgets`),
	regexp.MustCompile(`^config\.vectordb\.redis\.cloud_authentication\.oauth(\.|$)`), // Kong 3.16 has it
	regexp.MustCompile(`^config\.(balancer\.(first_token_timeout|hedge(\..*)?|healthchecks(\..*)?)|targets\[\]\.fallback_for(\[\])?)$`),
	regexp.MustCompile(`^config\.balancer\.affinity(\.|$)`),
	regexp.MustCompile(`^config\.(cache|response_cache)(\.|$)`),
	regexp.MustCompile(`^config\.(targets\[\]\.)?logging\.price_file$`),
	regexp.MustCompile(`^config\.(targets\[\]\.)?model\.options\.(audio_input|audio_output|image_input|image_output|image|character|minute|search|request)_cost$`),
	regexp.MustCompile(`^config\.(targets\[\]\.)?model\.options\.(override|service_tier)$`),
	regexp.MustCompile(`^config\.(targets\[\]\.)?model\.options\.sagemaker(\.|$)`),
}

// differences compares a field with a row of path, type, required, default,
// enum, min, max, referenceable, encrypted.
func differences(path string, f *field, row []string) (diffs []string) {
	differ := func(what, ours, theirs string) {
		if ours != theirs {
			diffs = append(diffs, fmt.Sprintf("%s is %q, Kong's %q", what, ours, theirs))
		}
	}
	kind := map[string]string{"record": "object", "map": "object"}[f.Type]
	if kind == "" {
		kind = f.Type
	}
	differ("type", kind, row[1])
	either := map[string]bool{ // one of the two shapes has it
		"config.route_type": true, "config.model": true, "config.targets": true,
	}
	if !either[path] && f.Type != "record" {
		differ("required", map[bool]string{true: "yes"}[f.required()], row[2])
	}
	if f.Default != nil && f.Type != "record" {
		var theirs any
		_ = json.Unmarshal([]byte(row[3]), &theirs)
		if !reflect.DeepEqual(f.Default, theirs) {
			differ("default", fmt.Sprint(f.Default), fmt.Sprint(theirs))
		}
	} else if f.Type != "record" {
		differ("default", "", row[3])
	}
	enum := slices.DeleteFunc(slices.Sorted(slices.Values(f.OneOf)), func(v string) bool { return slices.Contains(ownValues[path], v) })
	if f.MatchAny != nil && row[4] != "" { // it takes Kong's values, and others
		enum = slices.DeleteFunc(strings.Split(row[4], "|"), func(value string) bool { return f.refuse(value) != "" })
	}
	if theirs := strings.Split(row[4], "|"); strings.HasSuffix(path, ".provider") || strings.HasSuffix(path, ".route_type") {
		for _, name := range theirs { // we have more of them
			if name != "" && !slices.Contains(enum, name) {
				diffs = append(diffs, "has no "+name)
			}
		}
	} else if path != "config.genai_category" || slices.Contains(theirs, "realtime/generation") {
		differ("enum", strings.Join(enum, "|"), row[4])
	}
	if f.Between != nil {
		differ("min", strconv.FormatFloat(f.Between[0], 'f', -1, 64), row[5])
		differ("max", strconv.FormatFloat(f.Between[1], 'f', -1, 64), row[6])
	} else {
		differ("range", "", row[5]+row[6])
	}
	differ("referenceable", map[bool]string{true: "ref"}[f.Referenceable], row[7])
	differ("encrypted", map[bool]string{true: "enc"}[f.Encrypted], row[8])
	return diffs
}

func TestRepeatedRecordsAreTheSame(t *testing.T) {
	all := fields()
	for _, same := range [][2]string{
		{"config.auth", "config.targets[].auth"},
		{"config.auth", "config.embeddings.auth"},
		{"config.logging", "config.targets[].logging"},
		{"config.model.options", "config.targets[].model.options"},
		{"config.model.options.bedrock", "config.embeddings.model.options.bedrock"},
		{"config.acls.allow[]", "config.acls.deny[]"},
	} {
		a, _ := json.Marshal(all[same[0]])
		b, _ := json.Marshal(all[same[1]])
		if !bytes.Equal(a, b) {
			t.Errorf("%s and %s differ", same[0], same[1])
		}
	}
	config, target := all["config"].EntityChecks, all["config.targets[]"].EntityChecks
	for _, rule := range target {
		if !slices.ContainsFunc(config, func(c check) bool { return reflect.DeepEqual(c, rule) }) {
			t.Errorf("a rule of targets does not hold for a model: %v", rule.names())
		}
	}
}

func TestEveryFieldIsDescribed(t *testing.T) {
	for path, f := range fields() {
		if strings.HasSuffix(path, "[]") {
			continue
		}
		// Kong refuses a schema with a shorter or longer description.
		if n := len(f.Description); n < 10 || n > 500 {
			t.Errorf("%s: a description of %d bytes", path, n)
		}
	}
}

// A default of nothing is what tells the two shapes apart.
func TestNeitherShapeAppearsByItself(t *testing.T) {
	for _, name := range []string{"route_type", "model", "targets", "embeddings", "vectordb", "acls"} {
		if f := schema.config.member(name); f.Default != nil || f.required() {
			t.Errorf("%s has a default", name)
		}
	}
}

// goFields lists the JSON names of a struct, by path, with Go's types.
func goFields(path string, typ reflect.Type, into map[string]reflect.Type) {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	into[path] = typ
	switch {
	case typ == reflect.TypeFor[json.RawMessage]():
	case typ == reflect.TypeFor[EmbeddingsOptions]():
		for i := range target.List {
			option := &target.List[i]
			if record, _, nested := strings.Cut(option.Embedding, "."); nested {
				into[path+"."+record] = typ
			}
			if option.Embedding != "" {
				goFields(path+"."+option.Embedding, reflect.TypeOf(option.Pointer(&target.Options{})), into)
			}
		}
	case typ.Kind() == reflect.Slice:
		goFields(path+"[]", typ.Elem(), into)
	case typ.Kind() == reflect.Struct:
		for f := range typ.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case f.Anonymous:
				goFields(path, f.Type, into)
			case !f.IsExported(), name == "-", strings.HasPrefix(name, "__"):
			case name == "":
				into[path+"."+f.Name+" (no JSON name)"] = f.Type
			default:
				goFields(path+"."+name, f.Type, into)
			}
		}
	}
}

func TestStructsAndSchemaAgree(t *testing.T) {
	ours, theirs := map[string]reflect.Type{}, fields()
	goFields("config", reflect.TypeFor[wire](), ours)
	kinds := map[string][]reflect.Kind{
		"string": {reflect.String}, "integer": {reflect.Int}, "number": {reflect.Float64}, "boolean": {reflect.Bool},
		"record": {reflect.Struct}, "array": {reflect.Slice}, "map": {reflect.Slice, reflect.Map},
	}
	for path, f := range theirs {
		typ := ours[path]
		if typ == nil {
			t.Errorf("%s: no Go field", path)
		} else if !slices.Contains(kinds[f.Type], typ.Kind()) {
			t.Errorf("%s: %s in Go, %s in the schema", path, typ, f.Type)
		}
	}
	for path := range ours {
		if theirs[path] == nil && path != "config.targets[].metadata[]" {
			t.Errorf("%s: not in the schema", path)
		}
	}
}

func TestSchemaNamesThePluginAndItsProtocols(t *testing.T) {
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Name   string
		Fields []struct {
			Protocols struct {
				Default  []string
				Elements struct {
					OneOf []string `json:"one_of"`
				}
			}
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	p := file.Fields[0].Protocols
	if file.Name != "go-ai-proxy" || !slices.Equal(p.Default, []string{"grpc", "grpcs", "http", "https"}) ||
		!slices.Equal(p.Elements.OneOf, []string{"grpc", "grpcs", "http", "https", "ws", "wss"}) {
		t.Errorf("got %+v", file)
	}
}
