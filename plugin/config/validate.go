package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// validator collects what is wrong with a value, with Kong's texts
// (kong/db/schema/init.lua).
type validator struct {
	problems Problems
}

// set records the problem of a field and replaces an earlier one.
func (v *validator) set(path, message string) {
	for i := range v.problems {
		if p := &v.problems[i]; p.Field == path && !p.entity {
			p.Message = message
			return
		}
	}
	v.problems = append(v.problems, Problem{Field: path, Message: message})
}

// value checks a value and, for records and arrays, everything in it.
func (v *validator) value(path string, f *field, value any) {
	switch value := value.(type) {
	case map[string]any:
		if f.Type == "record" {
			v.record(path, f, value)
			return
		}
	case []any:
		if f.Type == "array" || f.Type == "set" {
			before := len(v.problems)
			for i, one := range value {
				element := fmt.Sprintf("%s[%d]", path, i+1)
				if one == nil {
					v.set(element, "required field missing")
					continue
				}
				v.value(element, f.Elements, one)
			}
			if len(v.problems) > before {
				return
			}
		}
	}
	if message := f.refuse(value); message != "" {
		v.set(path, message)
	}
}

func (v *validator) record(path string, f *field, value map[string]any) {
	for _, m := range f.Fields {
		one, given := value[m.name]
		if given || m.required() {
			v.value(path+"."+m.name, m.field, one)
		}
	}
	unknown := make([]string, 0, 4)
	for name := range value {
		if f.member(name) == nil {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		v.set(path+"."+name, "unknown field")
	}
	for i := range f.EntityChecks {
		f.EntityChecks[i].run(v, path, f, value)
	}
}

// refuse returns what is wrong with a value by itself, or "". It does not check the
// members of records and arrays.
func (f *field) refuse(value any) string {
	if value == nil {
		switch {
		case f.Eq != nil:
			return fmt.Sprintf("value must be %v", f.Eq)
		case f.required():
			return "required field missing"
		}
		return ""
	}
	if message := f.refuseType(value); message != "" {
		return message
	}
	if text, ok := value.(string); ok && f.Referenceable && isReference(text) {
		return ""
	}
	return f.refuseContent(value)
}

func (f *field) refuseType(value any) string {
	switch f.Type {
	case "record":
		if _, ok := value.(map[string]any); !ok {
			return "expected a record"
		}
	case "map":
		return f.refuseMap(value)
	case "array", "set":
		if _, ok := value.([]any); !ok {
			return "expected " + map[string]string{"array": "an array", "set": "a set"}[f.Type]
		}
	case "string":
		if _, ok := value.(string); !ok {
			return "expected a string"
		}
	case "boolean":
		if _, ok := value.(bool); !ok {
			return "expected a boolean"
		}
	case "number":
		if _, ok := number(value); !ok {
			return "expected a number"
		}
	case "integer":
		if n, ok := number(value); !ok || n != math.Floor(n) || math.IsInf(n, 0) {
			return "expected an integer"
		}
	default:
		return "invalid type: " + f.Type
	}
	return ""
}

// refuseMap checks a map of anything but null.
func (f *field) refuseMap(value any) string {
	switch value := value.(type) {
	case map[string]any:
		for _, one := range value {
			if one == nil {
				return "required field missing"
			}
			if _, ok := one.(string); !ok && f.Values.Type == "string" {
				return "expected a string"
			}
		}
		return ""
	case []any:
		if len(value) == 0 { // Lua knows one kind of empty table
			return ""
		}
		return "expected a string" // as its keys are
	}
	return "expected a map"
}

// refuseContent runs the validators in Kong's order.
func (f *field) refuseContent(value any) string {
	text, _ := value.(string)
	n, _ := number(value)
	switch {
	case f.Eq != nil && value != f.Eq:
		return fmt.Sprintf("value must be %v", f.Eq)
	case slices.Contains(f.NotOneOf, text):
		return "must not be one of: " + strings.Join(f.NotOneOf, ", ")
	case f.OneOf != nil && !slices.Contains(f.OneOf, text):
		return "expected one of: " + strings.Join(f.OneOf, ", ")
	case f.Gt != nil && n <= *f.Gt:
		return "value must be greater than " + strconv.FormatFloat(*f.Gt, 'f', -1, 64)
	case f.Between != nil && (n < f.Between[0] || n > f.Between[1]):
		return fmt.Sprintf("value should be between %.0f and %.0f", f.Between[0], f.Between[1])
	}
	if least := f.least(); length(value) < least {
		return fmt.Sprintf("length must be at least %d", least)
	}
	if f.MatchAny != nil {
		for _, re := range f.MatchAny.compiled {
			if re.MatchString(text) {
				return ""
			}
		}
		return f.MatchAny.Err
	}
	return ""
}

// least returns the shortest length. By default, an empty string is refused.
func (f *field) least() int {
	switch {
	case f.LenMin != nil:
		return *f.LenMin
	case f.Type == "string":
		return 1
	}
	return 0
}

// number returns a number that a JSON or YAML decoder made.
func number(value any) (float64, bool) {
	switch n := value.(type) {
	case float64:
		return n, true
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	case uint64:
		return float64(n), true
	}
	return 0, false
}

// length returns the length of a value. Values without a length are never too short.
func length(value any) int {
	switch value := value.(type) {
	case string:
		return len(value)
	case []any:
		return len(value)
	}
	return math.MaxInt
}

// isReference reports whether text is a reference to a vault.
func isReference(text string) bool {
	return strings.HasPrefix(text, "{vault://") && strings.HasSuffix(text, "}")
}
