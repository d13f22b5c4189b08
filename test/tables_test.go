package test

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/translators"
	providers "go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// variants are the targets by which a provider shows all that it can do:
// some are several APIs under one name.
func variants() (all []variant) {
	for _, p := range translators.Providers {
		before := len(all)
		for _, k := range p.Kinds {
			switch {
			case k.Model != "":
			case k.Name != "":
				all = append(all, variant{p.Name + " (" + k.Name + ")", p.Name, k.Options})
			default:
				all = append(all, variant{p.Name, p.Name, k.Options})
			}
		}
		if len(all) == before {
			all = append(all, variant{name: p.Name, provider: p.Name})
		}
	}
	return all
}

type variant struct {
	name, provider string
	options        target.Options
}

// columns are the route types in the table's order; every provider serves preserve.
var columns = route.All[:len(route.All)-1]

// heading is the last word of a route type that tells it from others.
func heading(t route.Type) string {
	words := strings.Split(string(t), "/")
	if last := words[len(words)-1]; last != "generations" {
		return last
	}
	return words[len(words)-2]
}

func serving(name string, options target.Options) (*providers.Provider, *target.Target) {
	p := translators.Lookup(name)
	t := &target.Target{Provider: name, Route: "llm/v1/chat", Model: "m", Options: &options}
	if p.Variant != nil {
		p = p.Variant(t)
	}
	return p, t
}

// providerTable is what each provider can do.
func providerTable() string {
	var b strings.Builder
	b.WriteString("Every provider also serves `preserve`, byte for byte. *s*: streams, too.\n\n| provider |")
	for _, c := range columns {
		b.WriteString(" " + heading(c) + " |")
	}
	b.WriteString("\n| --- |" + strings.Repeat(" --- |", len(columns)) + "\n")
	for _, v := range variants() {
		p, _ := serving(v.provider, v.options)
		b.WriteString("| [" + v.name + "](" + v.provider + ".md) |")
		for _, c := range columns {
			switch op := p.Operations[c]; {
			case op == nil:
				b.WriteString("  |")
			case op.NoStream || !streamable(c):
				b.WriteString(" ✓ |")
			default:
				b.WriteString(" ✓ *s* |")
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("\nWhat happens to each field of a chat request at each provider (mapped, refused or\ndropped by name) is in [fields](../fields.md); what is known of models in\n[models](../models.md).\n")
	return b.String()
}

// streamable says whether clients of a route type may ask for a stream.
func streamable(t route.Type) bool {
	a := translators.Client.Of(t)
	return a.Streams || a.Body == providers.TakeSocket || t == route.Speech // which the provider ends in its own way
}

// formatTable is what a client may speak to each provider.
func formatTable() string {
	formats := routes.Formats()
	cell := map[[2]string]string{}
	for _, p := range routes.Pairs() {
		var how []string
		if len(p.AsIs) > 0 {
			how = append(how, "as it is")
		}
		if len(p.Translated) > 0 {
			how = append(how, "translated")
		}
		cell[[2]string{p.Format, p.Provider}] = strings.Join(how, ", ")
	}
	var b strings.Builder
	b.WriteString("`config.llm_format` is the format of the client. A pair without an entry is refused when\nthe configuration is loaded. *As it is*: the bytes are forwarded unchanged except for the\nmodel, and usage is read from them. *Translated*: chat, through the internal form.\n\n| provider |")
	for _, f := range formats {
		b.WriteString(" " + f + " |")
	}
	b.WriteString("\n| --- |" + strings.Repeat(" --- |", len(formats)) + "\n")
	for _, name := range translators.Names() {
		b.WriteString("| " + name + " |")
		for _, f := range formats {
			b.WriteString(" " + cell[[2]string{f, name}] + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("\nClients of OpenAI's Responses API can use every chat provider, too. What needs state on\nthe server (`previous_response_id`, `background`) is refused there.\n")
	return b.String()
}

// fieldTable is docs/fields.md: the field law's table.
func fieldTable() string {
	var b strings.Builder
	b.WriteString(`# What happens to the fields of a chat request

Made from the code by ` + "`go test ./test -run Tables -update`" + `, and tested by the
conformance suite: a mapped field changes the provider's body, a refused one is answered
with a 400 that names it, and a dropped one changes nothing. Every dropped field is named.
`)
	for _, v := range variants() {
		p, _ := serving(v.provider, v.options)
		op := p.Operations["llm/v1/chat"]
		if op == nil || len(op.Fields) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n| field | | |\n| --- | --- | --- |\n", v.name)
		for _, name := range slices.Sorted(maps.Keys(op.Fields)) {
			f := op.Fields[name]
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, f.Treatment, strings.ReplaceAll(f.Note, "|", "\\|"))
		}
	}
	return b.String()
}

// modelTable is docs/models.md: what the models take, by the providers' tables.
func modelTable() string {
	var b strings.Builder
	b.WriteString(`# What the models take

Made from the code by ` + "`go test ./test -run Tables -update`" + `. A translated request is
fitted to the first row that has a model's name; the law "nothing that the model's row
forbids is sent" is run over every row with every client's format. Beside a document is
when it was read last, where that was noted. A row is a line of the file ` + "`models.go`" + ` in
the provider's folder.
`)
	seen := map[string]string{} // tables that were written, and whose they are
	for _, p := range translators.Providers {
		kinds := p.Kinds
		if len(kinds) == 0 {
			kinds = []providers.Kind{{}}
		}
		for _, k := range kinds {
			name := p.Name
			if more := strings.Trim(k.Name+" "+k.Model, " "); more != "" {
				name += " (" + more + ")"
			}
			serving := p
			if p.Variant != nil {
				serving = p.Variant(&target.Target{Provider: p.Name, Model: k.Model, Options: &k.Options})
			}
			op := serving.Operations[route.Chat]
			if op == nil || len(op.Table()) == 0 {
				continue
			}
			table := modelRows(op.Table())
			if first := seen[table]; first != "" {
				if first != p.Name {
					fmt.Fprintf(&b, "\n## %s\n\nAs %s.\n", name, first)
				}
				continue
			}
			seen[table] = p.Name
			fmt.Fprintf(&b, "\n## %s\n\n%s", name, table)
		}
	}
	return b.String()
}

func modelRows(rows []providers.Facts) string {
	var b strings.Builder
	b.WriteString("| models | effort | not sent | otherwise | document |\n| --- | --- | --- | --- | --- |\n")
	for _, f := range rows {
		lacks := f.Lacks
		if lacks == nil {
			lacks = f.Without
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | [%s](%s) |\n", f.Names, strings.Join(f.Efforts, ", "), strings.Join(lacks, ", "),
			strings.Join(f.Notes, "; "), cmp.Or(f.Read, "↗"), f.Document)
	}
	return b.String()
}

// reasonTable is what the providers' errors mean, each row once.
func reasonTable() string {
	var b strings.Builder
	b.WriteString("| provider | reason | status | code or type | words | document |\n| --- | --- | --- | --- | --- | --- |\n")
	seen := map[string]bool{}
	for _, p := range translators.Providers {
		for _, r := range p.Reasons {
			status := ""
			if r.Status != 0 {
				status = strconv.Itoa(r.Status)
			}
			name := r.Name
			if name != "" {
				name = "`" + name + "`"
			}
			row := fmt.Sprintf(" %s | %s | %s | %s | [↗](%s) |\n", cmp.Or(string(r.Reason), "none"), status, name, strings.Join(r.Words, " … "), r.Document)
			if !seen[row] {
				seen[row] = true
				b.WriteString("| " + p.Name + " |" + row)
			}
		}
	}
	b.WriteString("\nA provider with OpenAI's format also has OpenAI's rows, and one that serves Claude Anthropic's.\n")
	return b.String()
}

// generated replaces what stands between the marks of a table.
func generated(text, name, table string) (string, error) {
	begin := "<!-- " + name + ":"
	end := "<!-- /" + name + " -->"
	i, j := strings.Index(text, begin), strings.Index(text, end)
	if i < 0 || j < i {
		return "", fmt.Errorf("no marks for %s", name)
	}
	i += strings.Index(text[i:], "\n") + 1
	return text[:i] + "\n" + table + "\n" + text[j:], nil
}

// written are the files that are made from the code, whole or in part, as they
// should be.
func written() (map[string]string, error) {
	old, err := os.ReadFile("../schema.json")
	if err != nil {
		return nil, err
	}
	schema := withRules(withLists(string(old)))
	files := map[string]string{"../docs/fields.md": fieldTable(), "../docs/models.md": modelTable(), "../schema.json": schema}
	for _, part := range []struct {
		name string
		of   func(text string) (string, error)
	}{
		{"../README.md", func(text string) (string, error) { return compared(text, schema) }},
		{"../docs/providers/README.md", func(text string) (string, error) { return generated(text, "providers", providerTable()) }},
		{"../docs/failover.md", func(text string) (string, error) { return generated(text, "reasons", reasonTable()) }},
		{"../docs/formats.md", func(text string) (string, error) { return generated(text, "formats", formatTable()) }},
		{"../docs/configuration.md", func(string) (string, error) { return configurationTable(schema) }},
	} {
		text, err := os.ReadFile(part.name)
		if err != nil {
			return nil, err
		}
		if files[part.name], err = part.of(string(text)); err != nil {
			return nil, err
		}
	}
	if err := pagesOf(files); err != nil {
		return nil, err
	}
	site, err := os.ReadFile("../mkdocs.yml")
	if err != nil {
		return nil, err
	}
	files["../mkdocs.yml"], err = navigation(string(site), files)
	return files, err
}

// TestTablesInDocsMatchTheCode compares what the docs and schema.json have from the
// code with the code; -update writes it.
func TestTablesInDocsMatchTheCode(t *testing.T) {
	files, err := written()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if *update {
			if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s is not what the code does (%v): go test ./test -run Tables -update", name, err)
		}
	}
}
