package test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin"
	configuration "go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/translators"
	"go-ai-proxy/translators/openai"
	providers "go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// TestACompatibleProviderIsOneRow follows docs/adding-a-provider.md: one row
// gives chats, streams, a page and an entry in schema.json.
func TestACompatibleProviderIsOneRow(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.URL.Path != "/v1/chat/completions" || r.Header.Get("Authorization") != "Bearer k" || strings.Contains(string(body), "top_k"):
			http.Error(w, `{"error":{"message":"`+r.URL.Path+`"}}`, http.StatusBadRequest)
		case strings.Contains(string(body), `"stream":true`):
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"made up\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
		default:
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"made up"},"finish_reason":"stop"}]}`)
		}
	}))
	defer up.Close()

	saved := translators.Providers
	defer func() { translators.Providers = saved }()
	translators.Providers = append(saved[:len(saved):len(saved)], &providers.Provider{
		Name:       "madeup",
		Base:       providers.At(up.URL),
		Operations: map[route.Type]*providers.Operation{route.Chat: openai.ChatAt("/v1/chat/completions", providers.Edit{Drop: []string{"top_k"}})},
	})

	files, err := written()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(files["../docs/providers/README.md"], "| [madeup](madeup.md) | ✓ *s* |") {
		t.Error("the table of providers has no row")
	}
	if page := files["../docs/providers/madeup.md"]; !strings.Contains(page, "provider: madeup") || !strings.Contains(page, "`/v1/chat/completions` | as they are | yes |") {
		t.Errorf("its page: %s", page)
	}
	if !strings.Contains(files["../docs/fields.md"], "## madeup") {
		t.Error("docs/fields.md has no table")
	}
	schema := files["../schema.json"]
	if strings.Count(schema, `"madeup"`) != 2 {
		t.Errorf("schema.json names it %d times: for a model and for those of targets", strings.Count(schema, `"madeup"`))
	}
	serveMadeUp(t, schema)
}

func serveMadeUp(t *testing.T, text string) {
	schema, err := configuration.NewSchema([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	relay := plugin.NewRelay(schema, zerolog.Nop(), enginetest.Kind)
	defer relay.Close()
	inst, err := relay.NewInstance([]byte(`{"route_type":"llm/v1/chat","auth":{"header_name":"Authorization","header_value":"Bearer k"},"model":{"provider":"madeup","name":"m"}}`))
	if err != nil {
		t.Fatal(err)
	}
	front := enginetest.NewServer(engine.HandlerFunc(func(x *engine.Exchange) {
		in := x.Inbound()
		relay.Serve(x.Context(), inst, &in, x, nil)
	}))
	defer front.Close()
	for body, want := range map[string]string{
		`{"messages":[{"role":"user","content":"hi"}],"top_k":3}`:     `"message":{`,
		`{"messages":[{"role":"user","content":"hi"}],"stream":true}`: "data: [DONE]",
	} {
		resp, err := http.Post(front.URL+"/chat", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(answer), "made up") || !strings.Contains(string(answer), want) {
			t.Errorf("%s: %d %s", body, resp.StatusCode, answer)
		}
	}
}

// TestTheRegistryIsOneFile: what is known of a provider is in its folder or its row.
func TestTheRegistryIsOneFile(t *testing.T) {
	files, err := filepath.Glob("../translators/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := filepath.Base(file); name != "translators.go" && !strings.HasSuffix(name, "_test.go") {
			t.Errorf("translators/%s: belongs in a provider's folder", name)
		}
	}
}

// importsOfProviders are the imports of a provider's folder that package plugin
// has: the default format of clients and of answers.
var importsOfProviders = map[string]bool{"go-ai-proxy/translators/openai": true}

// cloudsOfLogins are names of clouds, whose Redis a gateway logs in to, that are those
// of providers, too.
var cloudsOfLogins = map[string]string{"../plugin/credentials/login.go": "azure"}

// TestThePluginNamesNoProvider: what a provider has of its own is in its folder.
func TestThePluginNamesNoProvider(t *testing.T) {
	names := map[string]bool{}
	for _, name := range translators.Names() {
		names[name] = true
	}
	folders := map[string]bool{}
	for _, folder := range []string{"azure", "compatible"} {
		folders["go-ai-proxy/translators/"+folder] = true
	}
	for name := range names {
		folders["go-ai-proxy/translators/"+name] = true
	}
	err := filepath.WalkDir("../plugin", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, source, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, one := range file.Imports {
			if at, _ := strconv.Unquote(one.Path.Value); folders[at] && !importsOfProviders[at] {
				t.Errorf("%s imports %s", path, at)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if _, ok := n.(*ast.ImportSpec); ok {
				return false // where a package comes from is no provider: github.com
			}
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			text, _ := strconv.Unquote(literal.Value)
			if text != "" && cloudsOfLogins[path] == text {
				return true
			}
			if head, _, _ := strings.Cut(text, "."); names[head] || names[strings.TrimSuffix(text, "/")] {
				t.Errorf("%s: %s is a provider's name", set.Position(literal.Pos()), literal.Value)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
