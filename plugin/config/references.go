package config

import "fmt"

// Dereference returns a copy of a configuration that Process returned, with
// references to vaults replaced by their values, as Kong does before a plugin gets
// its configuration. Fields that are not referenceable in the schema are not changed.
//
// The error is Problems: all references that resolve has no value for.
func (s *Schema) Dereference(processed map[string]any, resolve func(reference string) (string, error)) (map[string]any, error) {
	d := &dereferencer{resolve: resolve}
	out := d.value("config", s.config, processed).(map[string]any)
	if len(d.problems) > 0 {
		return nil, d.problems
	}
	return out, nil
}

type dereferencer struct {
	resolve  func(reference string) (string, error)
	problems Problems
}

func (d *dereferencer) value(path string, f *field, value any) any {
	switch value := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(value))
		for name, one := range value {
			if m := f.member(name); m != nil {
				one = d.value(path+"."+name, m, one)
			}
			out[name] = one
		}
		return out
	case []any:
		if f.Elements == nil {
			return value
		}
		out := make([]any, len(value))
		for i, one := range value {
			out[i] = d.value(fmt.Sprintf("%s[%d]", path, i+1), f.Elements, one)
		}
		return out
	case string:
		if !f.Referenceable || !isReference(value) {
			return value
		}
		resolved, err := d.resolve(value)
		if err != nil {
			d.problems = append(d.problems, Problem{Field: path, Message: value + ": " + err.Error()})
		}
		return resolved
	}
	return value
}
