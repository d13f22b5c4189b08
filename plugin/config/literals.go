package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// literals finds strings in a configuration that should have been replaced by a
// value: references to vaults, and decK's placeholders. Otherwise they would be sent
// to a provider.
func (s *Schema) literals(raw map[string]any) Problems {
	l := &literals{}
	l.value("config", s.config, raw)
	return l.problems
}

type literals struct{ problems Problems }

func (l *literals) fail(path, message string) {
	l.problems = append(l.problems, Problem{Field: path, Message: message})
}

func (l *literals) value(path string, f *field, value any) {
	switch value := value.(type) {
	case map[string]any:
		l.unresolved(path, value)
		for _, name := range slices.Sorted(maps.Keys(value)) {
			if m := f.member(name); m != nil {
				l.value(path+"."+name, m, value[name])
			}
		}
	case []any:
		for i, one := range value {
			if f.Elements != nil {
				l.value(fmt.Sprintf("%s[%d]", path, i+1), f.Elements, one)
			}
		}
	case string:
		l.text(path, f, value)
	}
}

// unresolved finds the references that Kong lists in $refs next to a record and had
// no value for. The field is then empty, or still has the reference.
func (l *literals) unresolved(path string, record map[string]any) {
	refs, _ := record["$refs"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		if _, one := refs[name].(string); one && (record[name] == nil || record[name] == "") {
			l.fail(path+"."+name, textUnresolved)
		}
	}
}

func (l *literals) text(path string, f *field, text string) {
	switch {
	case isReference(text) && f.Referenceable:
		l.fail(path, textUnresolved)
	case isReference(text):
		l.fail(path, "cannot be a reference to a vault: write the value itself")
	case strings.Contains(text, "{vault://"):
		l.fail(path, "has a reference to a vault inside a longer text, which is not resolved: the reference must be all of the value, with what stands around it in the secret")
	case strings.Contains(text, "${{"):
		l.fail(path, "has a placeholder ${{ ... }} that nothing has replaced: only decK does so; elsewhere use a reference to a vault, such as {vault://env/name}")
	}
}

const textUnresolved = "the reference to a vault could not be resolved: see that the vault has the secret and that Kong may read it"
