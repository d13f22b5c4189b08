package standalone

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"go-ai-proxy/plugin/config"
	"go-ai-proxy/translators/conformance/workload"
)

func schemaForCheck(t testing.TB) *config.Schema {
	t.Helper()
	data, err := os.ReadFile("../../schema.json")
	if err != nil {
		t.Fatal(err)
	}
	s, err := config.NewSchema(data)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// checked runs check on a file with that text, and returns what it prints without the
// file's name.
func checked(t *testing.T, text string, flags ...string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kong.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := Check(schemaForCheck(t), append(flags, file), &out)
	return strings.ReplaceAll(out.String(), file+":", ""), err
}

// oneRoute is a file whose route has a plugin with that config, in lines of their own
// from line 10 on.
func oneRoute(config string) string {
	head := "_format_version: \"3.0\"\nservices:\n  - name: ai\n    url: http://localhost:32000\n    routes:\n      - name: chat\n        paths: [/chat]\n        plugins:\n          - name: go-ai-proxy\n            config:\n"
	for line := range strings.Lines(strings.TrimSpace(config) + "\n") {
		head += "              " + line
	}
	return head
}

const openAI = `
route_type: llm/v1/chat
auth: {header_name: Authorization, header_value: Bearer key}
model:
  provider: openai
`

func TestCheckNamesTheLineAndTheField(t *testing.T) {
	const at = "services[ai].routes[chat].plugins[go-ai-proxy].config"
	for name, c := range map[string]struct {
		text    string
		want    string // a line of the output, "" for none
		warning bool
	}{
		"all is well":                     {oneRoute(openAI + "  name: gpt-4o"), "", false},
		"Kong's schema refuses":           {oneRoute(openAI + "  name: gpt-4o\n  options: {temperature: 9}"), "16: " + at + ".model.options.temperature: value should be between 0 and 5", false},
		"a value in a line of its own":    {oneRoute(openAI + "  name: gpt-4o\n  options:\n    top_k: 3\n    top_p: 2"), "18: " + at + ".model.options.top_p: value should be between 0 and 1", false},
		"a misspelt field":                {oneRoute(openAI + "  nam: gpt-4o"), at + ".model.nam: unknown field", false},
		"an impossible pair":              {oneRoute(strings.Replace(openAI, "openai", "anthropic", 1) + "  options: {anthropic_version: x}\n  name: c\nresponse_streaming: deny"), "", false},
		"what decK replaces":              {oneRoute(strings.Replace(openAI, "Bearer key", `'${{ env "KEY" }}'`, 1) + "  name: gpt-4o"), "12: " + at + ".auth.header_value: ${{ env", false},
		"a reference in a longer value":   {oneRoute(strings.Replace(openAI, "Bearer key", `'Bearer {vault://env/key}'`, 1) + "  name: gpt-4o"), "12: " + at + ".auth.header_value: a reference to a vault must be the whole", false},
		"a secret that is not here":       {oneRoute(strings.Replace(openAI, "Bearer key", `'{vault://env/check-test-key}'`, 1) + "  name: gpt-4o"), "12: warning: " + at + ".auth.header_value: {vault://env/check-test-key}: environment variable CHECK_TEST_KEY is not set", true},
		"a vault that only Kong can ask":  {oneRoute(strings.Replace(openAI, "Bearer key", `'{vault://hcv/key}'`, 1) + "  name: gpt-4o"), "", false},
		"a URL without a path":            {oneRoute(openAI + "  name: gpt-4o\n  options:\n    upstream_url: https://example.com"), "17: warning: " + at + ".model.options.upstream_url: has no path", true},
		"a URL with a path":               {oneRoute(openAI + "  name: gpt-4o\n  options:\n    upstream_url: https://example.com/v1/chat/completions"), "", false},
		"clients that name other models":  {oneRoute("llm_format: anthropic" + openAI + "  name: gpt-4o"), "16: warning: " + at + ".model.name: clients of llm_format anthropic name models of their own", true},
		"a plugin of a similar name":      {strings.Replace(oneRoute(openAI), "go-ai-proxy", "go-ai-prox", 1), "9: services[ai].routes[chat].plugins[go-ai-prox].name: there is no plugin \"go-ai-prox\": go-ai-proxy is meant", false},
		"Kong's own plugin":               {strings.Replace(oneRoute(openAI), "go-ai-proxy", "ai-proxy-advanced", 1), "9: warning: services[ai].routes[chat].plugins[ai-proxy-advanced].name: this is Kong's own plugin", true},
		"a route's field":                 {strings.Replace(oneRoute(openAI+"  name: x"), "paths:", "pathes:", 1), "7: services[ai].routes[chat].pathes: unknown field", false},
		"no YAML":                         {"services:\n\t- x", " line ", false},
		"nothing of ours":                 {"_format_version: \"3.0\"\n", " warning: no plugin go-ai-proxy is in it", true},
		"an expression instead of paths":  {strings.Replace(oneRoute(openAI+"  name: x"), "paths: [/chat]", "expression: http.path ^= \"/chat\"", 1), "", false},
		"a price that lowest-usage needs": {oneRoute("balancer: {algorithm: lowest-usage, tokens_count_strategy: cost}\ntargets:\n- route_type: llm/v1/chat\n  auth: {header_name: Authorization, header_value: k}\n  model: {provider: openai, name: a}\n- route_type: llm/v1/chat\n  auth: {header_name: Authorization, header_value: k}\n  model: {provider: openai, name: b}"), "11: warning: " + at + ".balancer.tokens_count_strategy: lowest-usage goes by total-tokens", true},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := checked(t, c.text)
			lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
			found := lines[:len(lines)-1] // the last one counts
			switch {
			case c.want == "" && len(found) > 0:
				t.Errorf("found %q", found)
			case c.want != "" && (len(found) != 1 || !strings.Contains(found[0], c.want)):
				t.Errorf("found %q, want %q", found, c.want)
			}
			if failed := c.want != "" && !c.warning; (err != nil) != failed {
				t.Errorf("the result is %v", err)
			}
			if _, err := checked(t, c.text, "-strict"); (err != nil) != (c.want != "") {
				t.Errorf("with -strict: %v", err)
			}
		})
	}
}

func TestCheckNamesAllThatIsWrong(t *testing.T) {
	text := oneRoute(openAI+"  name: x\n  options: {temperature: 9, top_p: 7}") + `
      - name: images
        paths: [/images]
        plugins:
          - name: go-ai-proxy
            config:
              route_type: llm/v1/embeddings
              auth: {header_name: x-api-key, header_value: key}
              model: {provider: anthropic, name: claude-sonnet-4-5, options: {anthropic_version: "2023-06-01"}}
consumers:
  - username: bob
    plugins:
      - name: go-ai-proxy
        config: {}
consumer_groups:
  - name: gold
    plugins:
      - name: go-ai-proxy
        config: {}
plugins:
  - name: go-ai-proxy
    config: {}
`
	out, err := checked(t, text)
	if err == nil {
		t.Error("it passes")
	}
	for _, want := range []string{
		"options.temperature: ", "options.top_p: ", "routes[images].plugins[go-ai-proxy].config.route_type: provider anthropic has nothing of llm/v1/embeddings",
		"consumers[bob].plugins[go-ai-proxy].config", "consumer_groups[gold].plugins[go-ai-proxy].config", " plugins[go-ai-proxy].config", "5 configurations of go-ai-proxy",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestCheckSaysHowItIsUsed(t *testing.T) {
	var out bytes.Buffer
	if err := Check(schemaForCheck(t), nil, &out); !strings.Contains(fmt.Sprint(err), "which file") {
		t.Error(err)
	}
	if err := Check(schemaForCheck(t), []string{"-h"}, &out); err != nil || !strings.Contains(out.String(), "-strict") {
		t.Error(err, out.String())
	}
	out.Reset()
	if err := Check(schemaForCheck(t), []string{filepath.Join(t.TempDir(), "none.yml")}, &out); err == nil || !strings.Contains(out.String(), "no such file") {
		t.Error(err, out.String())
	}
}

func FuzzLineOf(f *testing.F) {
	f.Add("services[ai].routes[2].paths", "services:\n- name: ai\n  routes: [{}, {paths: [/]}]")
	f.Add("a..b[[x]].", "a: {b: [x]}")
	f.Fuzz(func(t *testing.T, path, text string) {
		defer workload.Linear(t, len(path)+len(text))()
		var n yaml.Node
		if yaml.Unmarshal([]byte(text), &n) == nil && len(n.Content) > 0 {
			lineOf(n.Content[0], path)
		}
	})
}

// BenchmarkCheck is of 1,000 routes.
func BenchmarkCheck(b *testing.B) {
	var text strings.Builder
	text.WriteString("_format_version: \"3.0\"\nroutes:\n")
	for i := range 1000 {
		fmt.Fprintf(&text, "  - name: r%d\n    paths: [/r%d]\n    plugins:\n      - name: go-ai-proxy\n        config:\n          route_type: llm/v1/chat\n          auth: {header_name: Authorization, header_value: Bearer key}\n          model: {provider: openai, name: gpt-4o}\n", i, i)
	}
	file := filepath.Join(b.TempDir(), "kong.yml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	schema := schemaForCheck(b)
	for b.Loop() {
		if err := Check(schema, []string{file}, &bytes.Buffer{}); err != nil {
			b.Fatal(err)
		}
	}
}
