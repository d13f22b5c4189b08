package config

import (
	"fmt"
	"slices"
	"strings"
)

// check is one cross-field rule of a record, Kong's "entity check". Names in it may
// have dots. Exactly one of its members is set.
type check struct {
	AtLeastOneOf      []string `json:"at_least_one_of"`
	OnlyOneOf         []string `json:"only_one_of"`
	MutuallyRequired  []string `json:"mutually_required"`
	MutuallyExclusive []string `json:"mutually_exclusive"`

	Conditional             *conditional             `json:"conditional"`
	ConditionalAtLeastOneOf *conditionalAtLeastOneOf `json:"conditional_at_least_one_of"`
}

// conditional is the rule: if one field matches, another must match, too.
type conditional struct {
	IfField   string `json:"if_field"`
	IfMatch   match  `json:"if_match"`
	ThenField string `json:"then_field"`
	ThenMatch match  `json:"then_match"`
	ThenErr   string `json:"then_err"`
}

// conditionalAtLeastOneOf is the rule: if a field matches, one of several others must
// be set.
type conditionalAtLeastOneOf struct {
	IfField          string   `json:"if_field"`
	IfMatch          match    `json:"if_match"`
	ThenAtLeastOneOf []string `json:"then_at_least_one_of"`
	ThenErr          string   `json:"then_err"`
}

// match is what a value must be, in addition to its field's own rules.
type match struct {
	Required *bool    `json:"required"`
	Eq       any      `json:"eq"`
	OneOf    []string `json:"one_of"`
	NotOneOf []string `json:"not_one_of"`
}

// names returns the fields that the check looks at.
func (c *check) names() []string {
	switch {
	case c.Conditional != nil:
		return []string{c.Conditional.IfField, c.Conditional.ThenField}
	case c.ConditionalAtLeastOneOf != nil:
		return append([]string{c.ConditionalAtLeastOneOf.IfField}, c.ConditionalAtLeastOneOf.ThenAtLeastOneOf...)
	}
	return slices.Concat(c.AtLeastOneOf, c.OnlyOneOf, c.MutuallyRequired, c.MutuallyExclusive)
}

// entity is a record that is being checked.
type entity struct {
	*validator
	path  string
	def   *field
	value map[string]any
}

func (c *check) run(v *validator, path string, def *field, value map[string]any) {
	e := &entity{v, path, def, value}
	switch {
	case c.Conditional != nil:
		e.conditional(c.Conditional)
	case c.ConditionalAtLeastOneOf != nil:
		e.conditionalAtLeastOneOf(c.ConditionalAtLeastOneOf)
	case c.AtLeastOneOf != nil:
		if !e.referenced(c.AtLeastOneOf) && e.count(c.AtLeastOneOf) == 0 {
			e.fail("at least one of these fields must be non-empty: " + quoted(c.AtLeastOneOf))
		}
	case c.OnlyOneOf != nil:
		if !e.referenced(c.OnlyOneOf) && e.count(c.OnlyOneOf) != 1 {
			e.fail("exactly one of these fields must be non-empty: " + quoted(c.OnlyOneOf))
		}
	case c.MutuallyRequired != nil:
		if n := e.count(c.MutuallyRequired); n != 0 && n != len(c.MutuallyRequired) && !e.referenced(c.MutuallyRequired) && !e.invalid(c.MutuallyRequired) {
			e.fail("all or none of these fields must be set: " + quoted(c.MutuallyRequired))
		}
	case c.MutuallyExclusive != nil:
		if e.count(c.MutuallyExclusive) > 1 && !e.referenced(c.MutuallyExclusive) && !e.invalid(c.MutuallyExclusive) {
			e.fail("only one or none of these fields must be set: " + quoted(c.MutuallyExclusive))
		}
	}
}

func (e *entity) fail(message string) {
	e.problems = append(e.problems, Problem{Field: e.path, Message: message, entity: true})
}

func (e *entity) conditional(c *conditional) {
	if e.referenced([]string{c.IfField, c.ThenField}) {
		return
	}
	given, ok := lookup(e.value, c.IfField)
	then, thenOK := lookup(e.value, c.ThenField)
	if !ok {
		if thenOK {
			e.set(e.path+"."+c.IfField, "field required for entity check")
		}
		return
	}
	if c.IfMatch.over(e.def.at(c.IfField)).refuse(given) != "" {
		return
	}
	refused := c.ThenMatch.over(e.def.at(c.ThenField)).refuse(then)
	if refused == "" {
		return
	}
	e.set(e.path+"."+c.ThenField, refused)
	if c.ThenErr != "" {
		e.fail(strings.ReplaceAll(c.ThenErr, "%s", c.IfField))
		return
	}
	e.fail(fmt.Sprintf("failed conditional validation given value of field '%s'", c.IfField))
}

func (e *entity) conditionalAtLeastOneOf(c *conditionalAtLeastOneOf) {
	given, ok := lookup(e.value, c.IfField)
	if !ok || e.referenced(append([]string{c.IfField}, c.ThenAtLeastOneOf...)) {
		return
	}
	if c.IfMatch.over(e.def.at(c.IfField)).refuse(given) != "" || e.count(c.ThenAtLeastOneOf) > 0 {
		return
	}
	names := quoted(c.ThenAtLeastOneOf)
	if c.ThenErr != "" {
		e.fail(strings.ReplaceAll(c.ThenErr, "%s", names))
		return
	}
	e.fail("at least one of these fields must be non-empty: " + names)
}

// over returns def with the attributes of the match.
func (m *match) over(def *field) *field {
	merged := *def
	if m.Required != nil {
		merged.Required = m.Required
	}
	if m.Eq != nil {
		merged.Eq = m.Eq
	}
	if m.OneOf != nil {
		merged.OneOf = m.OneOf
	}
	if m.NotOneOf != nil {
		merged.NotOneOf = m.NotOneOf
	}
	return &merged
}

// count returns how many of the named fields are set: not null and not empty.
func (e *entity) count(names []string) (n int) {
	for _, name := range names {
		value, _ := lookup(e.value, name)
		switch value := value.(type) {
		case nil:
		case string:
			if value != "" {
				n++
			}
		case map[string]any:
			if len(value) > 0 {
				n++
			}
		case []any:
			if len(value) > 0 {
				n++
			}
		default:
			n++
		}
	}
	return n
}

// referenced reports whether one of the fields is a reference to a vault. Its value
// is not known yet, and Kong skips such a check.
func (e *entity) referenced(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		value, _ := lookup(e.value, name)
		text, _ := value.(string)
		def := e.def.at(name)
		return isReference(text) && def != nil && def.Referenceable
	})
}

// invalid reports whether one of the record's own fields already has a problem. Kong
// skips such a check.
func (e *entity) invalid(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		member := e.path + "." + name
		return !strings.Contains(name, ".") && slices.ContainsFunc(e.problems, func(p Problem) bool {
			rest, ok := strings.CutPrefix(p.Field, member)
			return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
		})
	})
}

// lookup returns the value of a dotted name. It returns false if a record on the way
// is null or the last member is absent; a member that is null counts as present.
func lookup(value map[string]any, name string) (any, bool) {
	head, tail, dotted := strings.Cut(name, ".")
	member, ok := value[head]
	if !dotted {
		return member, ok
	}
	record, isRecord := member.(map[string]any)
	if !isRecord {
		return nil, false
	}
	return lookup(record, tail)
}

// quoted returns a list of names as Kong writes it: 'a', 'b'.
func quoted(names []string) string {
	return "'" + strings.Join(names, "', '") + "'"
}
