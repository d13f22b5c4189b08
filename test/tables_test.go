package test

import (
	"fmt"
	"maps"
	"os"
	"slices"
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

// columns are the route types in the table's order, with their headings.
var columns = [][2]string{
	{"llm/v1/chat", "chat"}, {"llm/v1/completions", "completions"}, {"llm/v1/embeddings", "embeddings"},
	{"llm/v1/responses", "responses"}, {"llm/v1/assistants", "assistants"}, {"llm/v1/files", "files"}, {"llm/v1/batches", "batches"},
	{"audio/v1/audio/speech", "speech"}, {"audio/v1/audio/transcriptions", "transcriptions"}, {"audio/v1/audio/translations", "translations"},
	{"image/v1/images/generations", "images"}, {"image/v1/images/edits", "edits"}, {"video/v1/videos/generations", "video"},
	{"realtime/v1/realtime", "realtime"},
}

func serving(name string, options target.Options) (*providers.Provider, *target.Target) {
	p := translators.Lookup(name)
	t := &target.Target{Provider: name, Route: "llm/v1/chat", Model: "m", Options: &options}
	if p.Variant != nil {
		p = p.Variant(t)
	}
	return p, t
}

// providerTable is what the README says that each provider can do.
func providerTable() string {
	var b strings.Builder
	b.WriteString("Every provider also serves `preserve`, byte for byte. *s*: streams, too.\n\n| provider |")
	for _, c := range columns {
		b.WriteString(" " + c[1] + " |")
	}
	b.WriteString("\n| --- |" + strings.Repeat(" --- |", len(columns)) + "\n")
	for _, v := range variants() {
		p, _ := serving(v.provider, v.options)
		b.WriteString("| " + v.name + " |")
		for _, c := range columns {
			switch op := p.Operations[route.Type(c[0])]; {
			case op == nil:
				b.WriteString("  |")
			case op.NoStream || !streamable(c[0]):
				b.WriteString(" ✓ |")
			default:
				b.WriteString(" ✓ *s* |")
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("\nWhat happens to each field of a chat request at each provider (mapped, refused or\ndropped by name) is in [docs/fields.md](docs/fields.md).\n")
	return b.String()
}

func streamable(route string) bool {
	switch route {
	case "llm/v1/chat", "llm/v1/completions", "llm/v1/responses", "llm/v1/assistants", "audio/v1/audio/speech", "audio/v1/audio/transcriptions",
		"image/v1/images/generations", "image/v1/images/edits", "realtime/v1/realtime":
		return true
	}
	return false
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
	b.WriteString("`config.llm_format` is the format of the client; any other pair is refused when the\nconfiguration is loaded. *As it is*: bytes pass unchanged but for the model, and\nusage is read on the way. *Translated*: chat, through the internal form.\n\n| provider |")
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
	b.WriteString("\nClients of OpenAI's Responses API get an answer from every chat provider, too; what\nneeds state on the server (`previous_response_id`, `background`) is refused there.\n")
	return b.String()
}

// fieldTable is docs/fields.md: the field law's table.
func fieldTable() string {
	var b strings.Builder
	b.WriteString(`# What happens to the fields of a chat request

Made from the code by ` + "`go test ./test -run README -update`" + `, and held by the
conformance suite: a mapped field changes the provider's body, a refused one is
a 400 that names it, a dropped one changes nothing. Nothing disappears unnamed.
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

// TestREADMETablesSayWhatTheCodeDoes compares the tables with the code; -update
// writes them.
func TestREADMETablesSayWhatTheCodeDoes(t *testing.T) {
	text, _ := readme(t)
	want, err := generated(text, "providers", providerTable())
	if err != nil {
		t.Fatal(err)
	}
	if want, err = generated(want, "formats", formatTable()); err != nil {
		t.Fatal(err)
	}
	fields, _ := os.ReadFile("../docs/fields.md")
	if *update {
		if err := os.MkdirAll("../docs", 0o755); err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string]string{"../README.md": want, "../docs/fields.md": fieldTable()} {
			if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	if text != want {
		t.Error("the README's provider table is not what the code does: go test ./test -run README -update")
	}
	if string(fields) != fieldTable() {
		t.Error("docs/fields.md is not what the code does: go test ./test -run README -update")
	}
}
