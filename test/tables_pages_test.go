package test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/translators"
	providers "go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// pageOf is what is generated of a page that people also write on; a page that is not
// there yet begins with title and example.
func pageOf(name, title, example, table string) (string, error) {
	data, err := os.ReadFile(name)
	text := string(data)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = "# "+title+"\n\n"+example+"<!-- facts: made from the code by go test ./test -run Tables -update -->\n<!-- /facts -->\n", nil
	}
	if err != nil {
		return "", err
	}
	text, err = generated(text, "facts", table)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return text, nil
}

// sections are those of the site's navigation. What is in none goes into the last.
var sections = []struct {
	title string
	pages []string
}{
	{"Start", []string{"index", "getting-started", "clients", "kubernetes", "migrating", "faq"}},
	{"Configuration", []string{"configuration", "templates", "balancing", "formats", "fields", "models"}},
	{"Running it", []string{"keys-and-teams", "observability", "security", "operations", "environment", "troubleshooting", "differences"}},
	{"Speed", []string{"benchmarks", "measurements"}},
	{"Changing it", []string{"architecture", "adding-a-provider", "testing"}},
	{"Providers", []string{"providers/README"}},
	{"Route types", []string{"route-types/README"}},
	{"Beyond Kong", nil},
}

// navigation writes the pages of docs/ into mkdocs.yml. files are those that are about
// to be written, which may be new.
func navigation(text string, files map[string]string) (string, error) {
	head, _, ok := strings.Cut(text, "\nnav:\n")
	if !ok {
		return "", errors.New("mkdocs.yml has no nav")
	}
	placed, rest := map[string]bool{}, map[string][]string{}
	for _, s := range sections {
		for _, name := range s.pages {
			placed[name] = true
		}
	}
	add := func(path string) {
		name, isPage := strings.CutSuffix(strings.TrimPrefix(path, "../docs/"), ".md")
		folder, _, _ := strings.Cut(name, "/")
		if isPage && strings.HasPrefix(path, "../docs/") && !placed[name] {
			placed[name] = true
			title := map[string]string{"providers": "Providers", "route-types": "Route types"}[folder]
			title = cmp.Or(title, "Beyond Kong")
			rest[title] = append(rest[title], name)
		}
	}
	for path := range files {
		add(path)
	}
	err := filepath.WalkDir("../docs", func(path string, _ fs.DirEntry, err error) error {
		add(path)
		return err
	})
	var b strings.Builder
	b.WriteString(head + "\nnav:\n")
	for _, s := range sections {
		b.WriteString("  - " + s.title + ":\n")
		slices.Sort(rest[s.title])
		for _, name := range append(slices.Clone(s.pages), rest[s.title]...) {
			b.WriteString("      - " + name + ".md\n")
		}
	}
	return b.String(), err
}

// pagesOf adds the pages of providers and route types to files.
func pagesOf(files map[string]string) error {
	for _, p := range translators.Providers {
		example := "```yaml\nroute_type: llm/v1/chat\nauth: {header_name: Authorization, header_value: \"{vault://env/" + p.Name + "-auth-header}\"}\nmodel: {provider: " + p.Name + ", name: MODEL}\n```\n\n" +
			"```sh\ncurl -s http://localhost:8000/ai -H 'Content-Type: application/json' \\\n  -d '{\"messages\":[{\"role\":\"user\",\"content\":\"What is 1 + 1?\"}]}'\n```\n\n"
		name := "../docs/providers/" + p.Name + ".md"
		text, err := pageOf(name, p.Name, example, providerFacts(p))
		if err != nil {
			return err
		}
		files[name] = text
	}
	for _, t := range route.All {
		name := "../docs/route-types/" + heading(t) + ".md"
		text, err := pageOf(name, string(t), "", routeFacts(t))
		if err != nil {
			return err
		}
		files[name] = text
	}
	return nil
}

func quoted(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "`" + strings.Join(names, "`, `") + "`"
}

// providerFacts is what the tables say of one provider.
func providerFacts(p *providers.Provider) string {
	var b strings.Builder
	for _, v := range variants() {
		if v.provider != p.Name {
			continue
		}
		if v.name != p.Name {
			b.WriteString("## " + v.name + "\n\n")
		}
		b.WriteString(servedBy(v))
	}
	b.WriteString(formatsOf(p.Name))
	b.WriteString(optionsOf(p.Name))
	b.WriteString(authOf(p))
	return b.String()
}

// servedBy are the route types of a variant, and what is not passed on to its chat.
func servedBy(v variant) string {
	var b strings.Builder
	served, t := serving(v.provider, v.options)
	b.WriteString("| route type | at the provider | bodies | streams |\n| --- | --- | --- | --- |\n")
	var not []string
	for _, c := range columns {
		op := routes.Operation(served, c)
		if op == nil {
			not = append(not, string(c))
			continue
		}
		bodies, streams := bodiesOf(served, c)
		fmt.Fprintf(&b, "| [%s](../route-types/%s.md) | %s | %s | %s |\n", c, heading(c), pathAt(served, op, t), bodies, streams)
	}
	b.WriteString("\n`preserve` passes every path.")
	if not != nil {
		b.WriteString(" Not served: " + quoted(not) + ".")
	}
	b.WriteString("\n\n" + droppedBy(v, served.Operations[route.Chat]))
	return b.String()
}

// bodiesOf says what happens to the bodies of OpenAI's clients, and whether streams are
// served.
func bodiesOf(p *providers.Provider, t route.Type) (bodies, streams string) {
	op := routes.Operation(p, t)
	if !op.NoStream && streamable(t) {
		streams = "yes"
	}
	switch {
	case !routes.Serves([]*providers.Provider{p}, t):
		return "as they are, for clients of its own format", streams
	case p.Operations[t] == nil:
		return "translated, by chat", streams
	case op.Format == translators.Client.Of(t).Format:
		if op.Instead != nil && op.Instead.Leaves {
			return "as they are, or translated where it has a part of it only", streams
		}
		return "as they are", streams
	}
	return "translated", streams
}

// pathAt is the path of an operation at a provider, for a target with an example's
// options.
func pathAt(p *providers.Provider, op *providers.Operation, t *target.Target) string {
	one := *t
	one.Model = "MODEL"
	if op.Path == nil || op.Resource != nil {
		return ""
	}
	path, err := op.Path(&one, false)
	if err != nil || path == "" {
		return ""
	}
	if p.Prefix != nil {
		path = p.Prefix(&one) + path
	}
	return "`" + strings.ReplaceAll(path, "|", "\\|") + "`"
}

// droppedBy says which fields of an OpenAI client's chat a provider does not get.
func droppedBy(v variant, op *providers.Operation) string {
	if op == nil || len(op.Fields) == 0 {
		return ""
	}
	var refused, dropped []string
	for _, name := range slices.Sorted(maps.Keys(op.Fields)) {
		switch op.Fields[name].Treatment {
		case providers.Refused:
			refused = append(refused, name)
		case providers.Dropped:
			dropped = append(dropped, name)
		}
	}
	var b strings.Builder
	b.WriteString("Fields of an OpenAI client's chat, [each with its reason](../fields.md#" + anchor(v.name) + "):")
	if refused != nil {
		b.WriteString(" refused with a 400: " + quoted(refused) + ".")
	}
	if dropped != nil {
		b.WriteString(" Left out: " + quoted(dropped) + ".")
	}
	b.WriteString(" All others are passed on.\n")
	if len(op.Table()) > 0 {
		link := "../models.md"
		for _, name := range []string{v.provider, v.name} {
			if strings.Contains(modelTable(), "\n## "+name+"\n") {
				link = "../models.md#" + anchor(name)
			}
		}
		b.WriteString("\nWhat each of its models takes is in [a table](" + link + ").\n")
	}
	return b.String() + "\n"
}

var notInAnchor = regexp.MustCompile(`[^\w -]`)

// anchor is the address of a heading within its page.
func anchor(heading string) string {
	return strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
}

// formatsOf is what clients may speak to a provider.
func formatsOf(name string) string {
	var b strings.Builder
	b.WriteString("## What clients may speak to it\n\n| `llm_format` | as it is | translated |\n| --- | --- | --- |\n")
	for _, format := range routes.Formats() {
		for _, p := range routes.Pairs() {
			if p.Provider == name && p.Format == format {
				fmt.Fprintf(&b, "| %s | %s | %s |\n", format, formatNames(p.AsIs), formatNames(p.Translated))
			}
		}
	}
	return b.String() + "\n"
}

func formatNames(formats []providers.Format) string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = string(f)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// optionsOf are the rows of target.List that are for a provider in particular.
func optionsOf(name string) string {
	var rows strings.Builder
	for i := range target.List {
		o := &target.List[i]
		if o.Providers == nil || !o.ReadBy(name) {
			continue
		}
		var notes []string
		if slices.Contains(o.Required, name) {
			notes = append(notes, "required")
			if o.Unless != "" {
				notes[0] += " without `" + o.Unless + "`"
			}
		}
		if o.Default != "" {
			notes = append(notes, "default `"+o.Default+"`")
		}
		if len(o.Env) > 0 {
			notes = append(notes, "otherwise "+quoted(o.Env)+" of the environment")
		}
		if o.Routes != nil {
			notes = append(notes, "for "+route.Join(o.Routes, ", "))
		}
		if o.Needs != "" {
			notes = append(notes, "with `"+o.Needs+"`")
		}
		if o.Lands != target.Nowhere {
			notes = append(notes, "may be a template")
		}
		fmt.Fprintf(&rows, "| `%s` | %s |\n", o.Name, strings.Join(notes, "; "))
	}
	if rows.Len() == 0 {
		return "## Options\n\nNone of its own; [those of all providers](../configuration.md#targetsmodeloptions) work.\n\n"
	}
	return "## Options\n\nBeside [those of all providers](../configuration.md#targetsmodeloptions), below `model.options`:\n\n| option | |\n| --- | --- |\n" + rows.String() + "\n"
}

// authOf says which credentials a provider takes.
func authOf(p *providers.Provider) string {
	var b strings.Builder
	b.WriteString("## Credentials\n\n`auth.header_name` and `header_value`, or `param_name`, `param_value` and `param_location`")
	for _, c := range providers.AllCredentials {
		if c.Identity != p.Identity {
			continue
		}
		b.WriteString("; or ")
		if c.Switch != "" {
			b.WriteString("`" + c.Switch + ": true`, with ")
		}
		b.WriteString(quoted(c.Fields) + ", or without them what the environment has ([variables](../environment.md))")
	}
	b.WriteString(".")
	if p.OwnKey {
		b.WriteString(" The configured key always wins: `allow_override` has no effect.")
	}
	return b.String() + "\n"
}

// routeFacts is what the tables say of one route type.
func routeFacts(t route.Type) string {
	var b strings.Builder
	if t == route.Preserve {
		return "Every provider serves it.\n"
	}
	for i := range translators.Client.Paths {
		p := &translators.Client.Paths[i]
		if p.Route != t {
			continue
		}
		fmt.Fprintf(&b, "A client's path ends in `%s`", p.Path)
		if p.Member != "" {
			fmt.Fprintf(&b, ", or its body has `%s`", p.Member)
		}
		b.WriteString(", where targets have several route types; with one, any path will do.\n")
		if r := p.API.Resources; r != nil {
			b.WriteString("\n| path | methods |\n| --- | --- |\n")
			for _, sub := range slices.Sorted(maps.Keys(r.Allowed)) {
				fmt.Fprintf(&b, "| `/%s%s` | %s |\n", strings.Join(r.Names, "`, `/"), strings.ReplaceAll(sub, "{}", "ID"), strings.Join(r.Allowed[sub], ", "))
			}
		}
	}
	b.WriteString("\n| provider | bodies | streams |\n| --- | --- | --- |\n")
	for _, v := range variants() {
		p, _ := serving(v.provider, v.options)
		if routes.Operation(p, t) == nil {
			continue
		}
		bodies, streams := bodiesOf(p, t)
		fmt.Fprintf(&b, "| [%s](../providers/%s.md) | %s | %s |\n", v.name, v.provider, bodies, streams)
	}
	return b.String()
}

// field is a field of schema.json.
type field struct {
	Type, Description string
	Required          bool
	Default           any
	OneOf             []any     `json:"one_of"`
	Between           []float64 `json:"between"`
	Referenceable     bool
	Fields            []map[string]field
	Elements          *field
}

// configurationTable is docs/configuration.md: all fields of schema.json.
func configurationTable(schema string) (string, error) {
	var root struct{ Fields []map[string]field }
	if err := json.Unmarshal([]byte(schema), &root); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("# Configuration\n\nMade from schema.json by `go test ./test -run Tables -update`. A configuration has either\n`targets`, or one target's `route_type`, `auth`, `model` and `logging` on top. *vault*: the\nvalue may be a reference such as `{vault://env/openai-key}`. Which strings may have\n[templates](templates.md), and which options a provider reads, is on their pages.\n\n## config\n\n")
	for _, f := range root.Fields {
		if c, ok := f["config"]; ok {
			fieldRows(&b, "", c.Fields)
		}
	}
	return b.String(), nil
}

// fieldRows writes a table of fields, and one for each of those that have fields.
func fieldRows(b *strings.Builder, path string, fields []map[string]field) {
	b.WriteString("| field | type | default | |\n| --- | --- | --- | --- |\n")
	var deeper []func()
	for _, entry := range fields {
		for name, f := range entry {
			kind, note := f.Type, f.Description
			sub := f.Fields
			if f.Elements != nil {
				kind += " of " + f.Elements.Type
				if f.Elements.Fields != nil {
					kind, sub = "array of records", f.Elements.Fields
				}
				f.OneOf = append(f.OneOf, f.Elements.OneOf...)
			}
			if f.OneOf != nil {
				note += " One of " + quoted(texts(f.OneOf)) + "."
			}
			if f.Between != nil {
				note += fmt.Sprintf(" From %.0f to %.0f.", f.Between[0], f.Between[1])
			}
			if f.Required && f.Default == nil && sub == nil {
				note += " Required."
			}
			if f.Referenceable {
				kind += ", vault"
			}
			standard := ""
			if f.Default != nil && sub == nil {
				data, err := json.Marshal(f.Default)
				if err == nil {
					standard = "`" + string(data) + "`"
				}
			}
			at := strings.TrimPrefix(path+"."+name, ".")
			if sub != nil {
				first := at
				if path == "" && (name == "auth" || name == "model" || name == "logging") {
					first = "targets." + name // the same
				} else if name == "auth" && path != "targets" {
					first = "targets.auth"
				} else {
					deeper = append(deeper, func() {
						b.WriteString("\n## " + at + "\n\n")
						fieldRows(b, at, sub)
					})
				}
				note += " See [" + first + "](#" + anchor(first) + ")."
			}
			fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", name, kind, standard, strings.ReplaceAll(note, "|", "\\|"))
		}
	}
	for _, write := range deeper {
		write()
	}
}

func texts(values []any) (all []string) {
	for _, v := range values {
		all = append(all, fmt.Sprint(v))
	}
	return all
}

// compared puts into the README's comparison what it says of this plugin.
func compared(readme, schema string) (string, error) {
	var root struct{ Fields []map[string]field }
	if err := json.Unmarshal([]byte(schema), &root); err != nil {
		return "", err
	}
	cells := map[string]string{"providers": fmt.Sprint(len(translators.Providers))}
	for _, f := range root.Fields {
		for _, c := range f["config"].Fields {
			for _, b := range c["balancer"].Fields {
				if a, ok := b["algorithm"]; ok {
					cells["balancing"] = strings.Join(texts(a.OneOf), ", ")
				}
			}
		}
	}
	for row, cell := range cells {
		form := regexp.MustCompile(`(?m)^\| ` + row + ` \| [^|]* \|`)
		if !form.MatchString(readme) {
			return "", fmt.Errorf("the README compares no %s", row)
		}
		readme = form.ReplaceAllLiteralString(readme, "| "+row+" | "+cell+" |")
	}
	return readme, nil
}

// TestEveryProviderAndRouteTypeHasATestedExample: the examples are run with all other
// snippets.
func TestEveryProviderAndRouteTypeHasATestedExample(t *testing.T) {
	for _, p := range translators.Providers {
		text := source(t, "docs/providers/"+p.Name+".md")
		if !strings.Contains(text, "```yaml") || !strings.Contains(text, "provider: "+p.Name) || !strings.Contains(text, "curl ") {
			t.Errorf("%s: no example, or no request", p.Name)
		}
	}
	for _, r := range route.All {
		text := source(t, "docs/route-types/"+heading(r)+".md")
		if !strings.Contains(text, "route_type: "+string(r)) || !strings.Contains(text, "```sh") {
			t.Errorf("%s: no example, or no request", r)
		}
	}
}
