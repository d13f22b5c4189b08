// Package config is the plugin's configuration: Kong's schema and its rules (for
// where no Kong applies them), the Go structs, the rules that a schema cannot hold,
// and templates such as $(headers.x).
//
// Start with NewSchema and Schema.Parse. schema.json, at the root of the repository,
// is the only list of fields, defaults and ranges: main embeds it and passes it on.
package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Schema is the `config` record of a declarative Kong plugin schema. It is immutable
// and safe for concurrent use.
type Schema struct {
	config *field
}

// field is a field as Kong's metaschema knows it, as far as schema.json uses it.
type field struct {
	Type         string  `json:"type"`
	Description  string  `json:"description"`
	Required     *bool   `json:"required"`
	Default      any     `json:"default"`
	Elements     *field  `json:"elements"`
	Fields       members `json:"fields"`
	EntityChecks []check `json:"entity_checks"`
	// Referenceable strings may be {vault://…}, which Kong resolves later.
	Referenceable bool `json:"referenceable"`
	Encrypted     bool `json:"encrypted"`
	// Keys and Values describe a map: strings, and anything but null. Kong's name for
	// anything is "foreign": Kong does not check a foreign field that names no
	// entity, neither in 3.4 (which has no type json) nor in 3.9.
	Keys   *field `json:"keys"`
	Values *field `json:"values"`

	Eq       any       `json:"eq"`
	NotOneOf []string  `json:"not_one_of"`
	OneOf    []string  `json:"one_of"`
	Gt       *float64  `json:"gt"`
	Between  []float64 `json:"between"`
	LenMin   *int      `json:"len_min"`
	MatchAny *matchAny `json:"match_any"`
}

// matchAny holds patterns, one of which must match. They only use what Lua's patterns
// and Go's regular expressions have in common: no %, and no - but in
// a set of digits, such as [0-9.].
type matchAny struct {
	Patterns []string `json:"patterns"`
	Err      string   `json:"err"`
	compiled []*regexp.Regexp
}

// member is a field with its name; members are in the schema's order.
type member struct {
	name string
	*field
}

type members []member

// UnmarshalJSON reads Kong's form, a list of objects of one member each.
func (m *members) UnmarshalJSON(data []byte) error {
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	for _, one := range list {
		if len(one) != 1 {
			return errors.New("an entry of fields has one name")
		}
		for name, raw := range one {
			f, err := decodeField(raw)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			*m = append(*m, member{name, f})
		}
	}
	return nil
}

func decodeField(data []byte) (*field, error) {
	f := &field{}
	if err := strict(data, f); err != nil {
		return nil, err
	}
	return f, nil
}

// digits matches a range of digits in a set.
var digits = regexp.MustCompile(`\[\^?[0-9]-[0-9][.]?\]`)

// UnmarshalJSON compiles the patterns.
func (m *matchAny) UnmarshalJSON(data []byte) error {
	type plain matchAny
	if err := strict(data, (*plain)(m)); err != nil {
		return err
	}
	for _, p := range m.Patterns {
		if strings.ContainsAny(digits.ReplaceAllString(p, "]"), "%-") {
			return fmt.Errorf("match_any: %q is no pattern that Lua and Go share", p)
		}
		re, err := regexp.Compile(p)
		if err != nil {
			return fmt.Errorf("match_any: %w", err)
		}
		m.compiled = append(m.compiled, re)
	}
	return nil
}

// strict decodes JSON and refuses attributes that this package does not know.
func strict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func (f *field) member(name string) *field {
	for _, m := range f.Fields {
		if m.name == name {
			return m.field
		}
	}
	return nil
}

// at returns the field with a dotted name, or nil.
func (f *field) at(name string) *field {
	for part := range strings.SplitSeq(name, ".") {
		if f = f.member(part); f == nil {
			return nil
		}
	}
	return f
}

func (f *field) required() bool { return f.Required != nil && *f.Required }

// NewSchema reads a schema in the form that Kong takes from a plugin server:
// {"name":…,"fields":[{"config":{"type":"record",…}}]}. An attribute that this
// package does not evaluate is an error.
func NewSchema(data []byte) (*Schema, error) {
	var file struct {
		Name   string  `json:"name"`
		Fields members `json:"fields"`
	}
	if err := strict(data, &file); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	root := &field{Fields: file.Fields}
	c := root.member("config")
	if c == nil || c.Type != "record" {
		return nil, errors.New("schema: no record config")
	}
	requireRecords(c)
	if err := c.verify("config"); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return &Schema{config: c}, nil
}

// verify makes sure that the evaluator can rely on the schema: cross-field rules name
// existing fields, and arrays say what they hold.
func (f *field) verify(path string) error {
	for i := range f.EntityChecks {
		for _, name := range f.EntityChecks[i].names() {
			if f.at(name) == nil {
				return fmt.Errorf("%s: entity_checks: no field %q", path, name)
			}
		}
	}
	switch f.Type {
	case "array", "set":
		if f.Elements == nil {
			return fmt.Errorf("%s: no elements", path)
		}
		return f.Elements.verify(path + "[]")
	case "map":
		if f.Keys == nil || f.Keys.Type != "string" || f.Values == nil || f.Values.Type != "foreign" && f.Values.Type != "string" {
			return fmt.Errorf("%s: a map has keys of type string and values of type foreign or string", path)
		}
	}
	if f.Between != nil && len(f.Between) != 2 {
		return fmt.Errorf("%s: between has two ends", path)
	}
	for _, m := range f.Fields {
		if err := m.verify(path + "." + m.name); err != nil {
			return err
		}
	}
	return nil
}

// requireRecords does what Kong does with a plugin's schema: records are required
// unless they say otherwise. Kong does not do that inside arrays.
func requireRecords(f *field) {
	if f.Required == nil {
		f.Required = new(true)
	}
	for _, m := range f.Fields {
		if m.Type == "record" {
			requireRecords(m.field)
		}
	}
}

// Process checks a plugin's `config` as Kong's Admin API does, with Kong's texts, and
// returns it as Kong sends it to a plugin: with defaults, and with absent members
// instead of nulls. It does not change raw, which is the output of encoding/json or
// of a YAML decoder.
//
// The error is Problems: all of them, with paths such as config.targets[2].weight,
// where the first target is targets[1], as in Kong.
func (s *Schema) Process(raw map[string]any) (map[string]any, error) {
	filled := s.config.fill(raw).(map[string]any)
	v := &validator{}
	v.value("config", s.config, filled)
	if len(v.problems) > 0 {
		return nil, v.problems
	}
	return withoutNulls(filled).(map[string]any), nil
}

// fill returns a copy of value with the defaults that Kong sets when a plugin is
// stored. A null member is kept; an absent one gets its default, or null, or stays
// absent if it is required and has no default.
func (f *field) fill(value any) any {
	switch value := value.(type) {
	case map[string]any:
		if f.Type != "record" {
			if len(value) == 0 && (f.Type == "array" || f.Type == "set") {
				return []any{} // Lua has only one kind of empty table
			}
			return value
		}
		out := make(map[string]any, len(f.Fields))
		maps.Copy(out, value)
		for _, m := range f.Fields {
			if v, given := out[m.name]; given {
				out[m.name] = m.fill(v)
			} else if v, ok := m.missing(); ok {
				out[m.name] = v
			}
		}
		return out
	case []any:
		if f.Elements == nil {
			return value
		}
		out := make([]any, len(value))
		for i, v := range value {
			out[i] = f.Elements.fill(v)
		}
		return out
	}
	return value
}

// missing returns the value for the field when it is absent.
func (f *field) missing() (any, bool) {
	switch {
	case f.Default != nil:
		return f.fill(f.Default), true
	case !f.required():
		return nil, true
	case f.Type == "record":
		return f.fill(map[string]any{}), true
	}
	return nil, false
}

func withoutNulls(value any) any {
	switch value := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(value))
		for k, v := range value {
			if v != nil {
				out[k] = withoutNulls(v)
			}
		}
		return out
	case []any:
		out := slices.Clone(value)
		for i := range out {
			out[i] = withoutNulls(out[i])
		}
		return out
	}
	return value
}

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	Field   string // "config.model.options.temperature"
	Message string
	entity  bool // of a cross-field check; a field has at most one other problem
}

// Problems is all that is wrong with a configuration.
type Problems []Problem

// Error names each problem, with its field.
func (p Problems) Error() string {
	var b strings.Builder
	for i, one := range p {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(one.Field + ": " + one.Message)
	}
	return b.String()
}
