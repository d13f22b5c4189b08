package config

import (
	"slices"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/target"
)

// Source provides the values of templates: the client's request. Each method returns
// the first value and whether there is one.
type Source interface {
	// Header returns a header; case does not matter, and "-" and "_" are equal.
	Header(name string) (string, bool)
	// Capture returns a named capture of the route's path.
	Capture(name string) (string, bool)
	Query(name string) (string, bool)
}

// template is what Resolve needs of a target, computed once.
type template struct {
	fixed   *target.Target // the result for what has no template
	name    *text          // of model.name, or nil if it has no template
	options []filler
	ownPath bool  // options.upstream_url takes its path from the request
	err     error // a syntax error, which each request is answered with
}

// filler sets one option.
type filler struct {
	*text
	option *target.Option
}

// text is a string with templates in it.
type text struct {
	field string // "model.options.azure_instance"
	raw   string
	parts []part
	land  landing
}

// part is a piece of a text: literal text, or the value for a source's key.
type part struct {
	literal     string
	source, key string
	land        landing // of the value: in a URL, each value may be in another part
}

// Static reports whether nothing in model depends on the request's headers, path or
// query.
func (t *Target) Static() bool { return t.template.name == nil && len(t.template.options) == 0 }

// FixedModel reports whether the model has a name that does not depend on the request.
func (t *Target) FixedModel() bool { return t.template.name == nil && t.Model.Name != "" }

// OwnPath reports whether the path of options.upstream_url contains values of the
// request. Then that path is used, and not the client's.
func (t *Target) OwnPath() bool { return t.template.ownPath }

// Resolve returns the target as translators get it, with the values of src in place
// of templates. requestModel is the model if none is configured. The result is
// immutable. For a static target that names its model, Resolve always returns the
// same value and costs nothing.
//
// Errors are *chat.RequestError, for a value that is missing or not allowed at its
// place, and for a template that is not valid.
func (t *Target) Resolve(src Source, requestModel string) (*target.Target, error) {
	tpl := t.template
	if tpl.err != nil {
		return nil, tpl.err
	}
	if t.Static() && t.Model.Name != "" {
		return tpl.fixed, nil
	}
	out := *tpl.fixed
	switch {
	case tpl.name != nil:
		name, err := tpl.name.expand(src)
		if err != nil {
			return nil, err
		}
		out.Model = name
	case t.Model.Name == "":
		if err := checkRequestModel(t.Model.Provider, requestModel); err != nil {
			return nil, err
		}
		out.Model = requestModel
	}
	if len(tpl.options) == 0 {
		return &out, nil
	}
	options := *out.Options
	for _, f := range tpl.options {
		value, err := f.expand(src)
		if err != nil {
			return nil, err
		}
		*f.option.Text(&options) = value
	}
	out.Options = &options
	return &out, nil
}

// compile finds the templates of the target.
func (t *Target) compile() {
	tpl := &template{fixed: &target.Target{Provider: t.Model.Provider, Route: t.RouteType, Model: t.Model.Name, Options: &t.Model.Options}}
	t.template = tpl
	add := func(field, raw string, land landing) *text {
		if !strings.Contains(raw, "$(") {
			return nil
		}
		x, err := parseText(field, raw, land)
		if err != nil && tpl.err == nil {
			tpl.err = err
		}
		return x
	}
	tpl.name = add("model.name", t.Model.Name, landsInModel(t.Model.Provider))
	for _, o := range templated {
		raw := *o.Text(&t.Model.Options)
		land := landing(o.Lands)
		if land == inURLSegment && isOneTemplate(raw) {
			land = inPath
		}
		if x := add("model.options."+o.Name, raw, land); x != nil {
			tpl.options = append(tpl.options, filler{x, o})
			tpl.ownPath = tpl.ownPath || o.Name == "upstream_url" && x.inPath()
		}
	}
}

// isOneTemplate reports whether a path is a single template, with or without a slash
// before it. Its value is then the whole path.
func isOneTemplate(path string) bool {
	path = strings.TrimPrefix(path, "/")
	return strings.HasPrefix(path, "$(") && strings.Index(path, ")") == len(path)-1
}

// parseText reads the templates in raw. As in Kong, text without a closing
// parenthesis is literal.
func parseText(field, raw string, land landing) (*text, error) {
	x := &text{field: field, raw: raw, land: land}
	place := land
	if land == inURL {
		place = inHost
	}
	for rest := raw; rest != ""; {
		open := strings.Index(rest, "$(")
		end := -1
		if open >= 0 {
			end = strings.IndexByte(rest[open:], ')')
		}
		if end < 0 {
			open = len(rest)
		}
		if open > 0 {
			x.parts = append(x.parts, part{literal: rest[:open]})
			if land == inURL {
				place = urlPlace(place, rest[:open])
			}
		}
		if end < 0 {
			break
		}
		source, key, ok := strings.Cut(rest[open+2:open+end], ".")
		if !ok || key == "" || strings.Contains(key, ".") {
			return x, &chat.RequestError{Message: "cannot parse expression for field '" + raw + "'"}
		}
		switch source {
		case "headers", "uri_captures", "query_params":
		default:
			return x, &chat.RequestError{Message: "source '" + source + "' is not supported"}
		}
		x.parts = append(x.parts, part{source: source, key: key, land: place})
		rest = rest[open+end+1:]
	}
	x.openEnd()
	return x, nil
}

// openEnd allows slashes in a capture at the end of a path, since the route's pattern
// says how much of the client's path it holds. A capture with more path after it is
// one segment.
func (x *text) openEnd() {
	for i := range x.parts {
		p := &x.parts[i]
		last := i == len(x.parts)-1 || strings.HasPrefix(x.parts[i+1].literal, "?")
		if p.source == "uri_captures" && p.land == inURLSegment && last {
			p.land = inPath
		}
	}
}

// inPath reports whether a value lands in the path of a URL.
func (x *text) inPath() bool {
	return slices.ContainsFunc(x.parts, func(p part) bool { return p.source != "" && (p.land == inURLSegment || p.land == inPath) })
}

// expand returns the text with values in place of templates.
func (x *text) expand(src Source) (string, error) {
	var b strings.Builder
	for _, p := range x.parts {
		if p.source == "" {
			b.WriteString(p.literal)
			continue
		}
		value, ok := p.value(src)
		if !ok || value == "" {
			return "", &chat.RequestError{Message: p.source + " key " + p.key + " was not provided"}
		}
		value, why := p.land.admit(value)
		if why != "" {
			return "", &chat.RequestError{Field: x.field, Message: "the value of " + p.source + "." + p.key + " " + why}
		}
		b.WriteString(value)
	}
	result := b.String()
	if why := x.land.refuseWhole(result); why != "" {
		return "", &chat.RequestError{Field: x.field, Message: "with the request's values it " + why}
	}
	return result, nil
}

func (p *part) value(src Source) (string, bool) {
	switch p.source {
	case "headers":
		return src.Header(p.key)
	case "uri_captures":
		return src.Capture(p.key)
	}
	return src.Query(p.key)
}

// texts returns those strings of m that may be templates and are set.
func (m *Model) texts() (set []struct{ field, text string }) {
	add := func(field, text string) {
		if text != "" {
			set = append(set, struct{ field, text string }{field, text})
		}
	}
	add("model.name", m.Name)
	for _, o := range templated {
		add("model.options."+o.Name, *o.Text(&m.Options))
	}
	return set
}
