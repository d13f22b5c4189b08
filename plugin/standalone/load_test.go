package standalone

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin"
)

// at puts a plugin's config on a route of a service.
func onRoute(config string) string {
	return "services: [{name: s, url: 'http://localhost', routes: [{name: r, paths: [/a], plugins: [{name: go-ai-proxy, config: " + config + "}]}]}]"
}

func TestABrokenConfigurationIsOneLineThatNamesTheField(t *testing.T) {
	with := func(auth, model string) string {
		return onRoute("{route_type: llm/v1/chat, auth: {" + auth + "}, model: {" + model + "}}")
	}
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "the file is empty"},
		{"no YAML", "services: [", "did not find expected node content"},
		{"services are no list", "services: 5", "line 1: cannot unmarshal"},
		{"unknown field of a service", "services: [{name: s, url: 'http://x', route: []}]", "services[s].route: unknown field"},
		{"unknown field of a route", "services: [{name: s, url: 'http://x', routes: [{name: r, path: /a}]}]", "services[s].routes[r].path: unknown field"},
		{"a route without a name", "services: [{name: s, url: 'http://x', routes: [{name: a, paths: [/a]}, {name: , strip_path: true}]}]", "services[s].routes[2]: must set one of 'methods', 'hosts', 'headers', 'paths'"},
		{"a list that is a string", "services: [{name: s, url: 'http://x', routes: [{name: r, paths: /a}]}]", "services[s].routes[r]: line 1: cannot unmarshal !!str `/a` into []string"},
		{"a service without a URL", "services: [{name: s}]", "services[s]: needs url, or host"},
		{"a service that is no URL", "services: [{name: s, url: /x}]", `services[s].url: "/x" is not a URL`},
		{"an expression", "services: [{name: s, url: 'http://x', routes: [{name: r, expression: 'x'}]}]", "services[s].routes[r].expression: does not work without Kong"},
		{"no service of that name", "routes: [{name: r, paths: [/a], service: {name: x}}]", `routes[r].service: no service "x"`},
		{"no route of that name", "plugins: [{name: go-ai-proxy, route: x, config: " + plainConfig + "}]", `plugins[go-ai-proxy].route: no route "x"`},
		{"a plugin without a name", "plugins: [{config: {}}]", "plugins[1].name: required field missing"},
		{"twice in one place", "services: [{name: s, url: 'http://x', plugins: [{name: go-ai-proxy}, {name: go-ai-proxy}]}]", "services[s].plugins[go-ai-proxy]: there is another one"},
		{"nothing to serve", "services: [{name: s, url: 'http://x', routes: [{name: r, paths: [/a]}]}]", "no route has the plugin go-ai-proxy"},
		{"Kong's own plugin", "services: [{name: s, url: 'http://x', routes: [{name: r, paths: [/a], plugins: [{name: ai-proxy, config: {}}]}]}]",
			"services[s].routes[r].plugins[ai-proxy]: rename it to go-ai-proxy, which takes the same config"},
		{"a range", with("", "provider: openai, name: x, options: {temperature: 6}"), "services[s].routes[r].plugins[go-ai-proxy]: config.model.options.temperature: value should be between 0 and 5"},
		{"a misspelt field", with("", "provider: openai, nmae: x"), "config.model.nmae: unknown field"},
		{"a rule over fields", with("", "provider: mistral, name: x"), "must set 'model.options.mistral_format' for mistral provider"},
		{"a key that is not there", with("header_name: Authorization, header_value: '{vault://env/openai-key}'", "provider: openai, name: x"),
			"services[s].routes[r].plugins[go-ai-proxy]: config.auth.header_value: {vault://env/openai-key}: environment variable OPENAI_KEY is not set"},
		{"a member that is not there", with("header_name: Authorization, header_value: '{vault://env/keys/x}'", "provider: openai, name: x"),
			`{vault://env/keys/x}: environment variable KEYS has no string "x" in its JSON object`},
		{"a vault that is not there", with("header_name: Authorization, header_value: '{vault://aws/x}'", "provider: openai, name: x"), `there is no vault "aws" without Kong, only env`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := loadText(t, c.text, map[string]string{"KEYS": `{"first":"canary-key"}`})
			if err == nil {
				t.Fatal("accepted")
			}
			if got := err.Error(); !strings.Contains(got, c.want) || strings.Contains(got, "\n") || strings.Contains(got, "canary") {
				t.Fatalf("%q, want one line with %q", got, c.want)
			}
		})
	}
}

// What was loaded last, for tests that look inside.
func loaded(t *testing.T, text string, env map[string]string, mock bool) *loader {
	t.Helper()
	relay := plugin.NewRelay(zerolog.Nop())
	t.Cleanup(relay.Close)
	l := &loader{relay: relay, getenv: func(name string) string { return env[name] }, mock: mock}
	if _, err := l.load([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestReferencesAreValuesOfTheEnvironment(t *testing.T) {
	env := map[string]string{"OPENAI_KEY": "Bearer one", "KEYS": `{"second":"two"}`, "SSL_CERT": "three"}
	for reference, want := range map[string]string{
		"{vault://env/openai-key}":       "Bearer one",
		"{vault://env/OPENAI_KEY}":       "Bearer one",
		"{vault://env/keys/second}":      "two",
		"{vault://env/cert?prefix=SSL_}": "three",
	} {
		l := loaded(t, onRoute("{route_type: llm/v1/chat, auth: {header_name: api-key, header_value: '"+reference+"'}, model: {provider: openai, name: x}}"), env, false)
		if got := text(l.routes[0].block.targets[0].auth, "header_value"); got != want {
			t.Errorf("%s is %q, want %q", reference, got, want)
		}
	}
}

func TestReferencesThatNothingResolvesAreRefused(t *testing.T) {
	for _, c := range []struct{ config, want string }{
		{"{route_type: llm/v1/chat, model: {provider: openai, name: x, model_alias: '{vault://env/openai-key}'}}", "config.model.model_alias: cannot be a reference"},
		{"{route_type: llm/v1/chat, auth: {header_name: a, header_value: 'Bearer {vault://env/openai-key}'}, model: {provider: openai, name: x}}", "config.auth.header_value: has a reference"},
	} {
		relay := plugin.NewRelay(zerolog.Nop())
		l := &loader{relay: relay, getenv: func(string) string { return "SECRET" }}
		_, err := l.load([]byte(onRoute(c.config)))
		relay.Close()
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", c.config, err)
		}
	}
}

func TestTheNearestPluginCounts(t *testing.T) {
	one := func(name string) string {
		return "{name: go-ai-proxy, config: {route_type: llm/v1/chat, model: {provider: openai, name: " + name + "}}}"
	}
	l := loaded(t, `
services:
  - name: a
    url: http://localhost
    plugins: [`+one("of-service")+`]
    routes:
      - {name: own, paths: [/own], plugins: [`+one("of-route")+`]}
      - {name: inherits, paths: [/inherits]}
      - {name: named, paths: [/named]}
  - {name: b, url: "http://localhost", routes: [{name: global, paths: [/global]}]}
  - {name: off, url: "http://localhost", enabled: false, routes: [{name: off, paths: [/off]}]}
routes:
  - {name: top, paths: [/top], service: a}
  - {name: alone, paths: [/alone], plugins: [{name: go-ai-proxy, enabled: false, config: {}}]}
plugins:
  - {name: file-log, config: {path: /dev/stdout}}
  - {name: go-ai-proxy, route: {name: named}, config: {route_type: llm/v1/chat, model: {provider: openai, name: by-name}}}
  - `+one("global")+`
consumers: [{username: x}]
`, nil, false)
	got := map[string]string{}
	for _, r := range l.routes {
		got[r.name] = text(r.block.targets[0].model, "name")
	}
	want := map[string]string{"own": "of-route", "inherits": "of-service", "named": "by-name", "global": "global", "top": "of-service", "alone": "global"}
	for name, model := range want {
		if got[name] != model {
			t.Errorf("route %s has the plugin %q, want %q", name, got[name], model)
		}
	}
	if len(got) != len(want) {
		t.Errorf("routes %v", got)
	}
	if l.routes[1].instance != l.routes[4].instance {
		t.Error("routes of one service have instances of their own")
	}
	if len(l.notes) != 1 || l.notes[0] != "not served without Kong: consumers, plugin file-log" {
		t.Errorf("notes: %q", l.notes)
	}
}

func TestJSONAndDatesOfYAMLAreTextAsInKong(t *testing.T) {
	loaded(t, `{"services":[{"name":"s","url":"http://localhost:1","retries":0,"routes":[{"name":"r","paths":["/a"],"plugins":[{"name":"go-ai-proxy","id":"6e7c40f6-ce96-48e4-a366-d109c169e444","config":`+
		`{"route_type":"llm/v1/chat","model":{"provider":"openai","name":"x","options":{"max_tokens":512}}}}]}]}]}`, nil, false)
	l := loaded(t, onRoute("{route_type: llm/v1/chat, model: {provider: openai, name: 2024-08-06}}"), nil, false)
	if got := text(l.routes[0].block.targets[0].model, "name"); got != "2024-08-06" {
		t.Errorf("name is %q", got)
	}
}

func TestTheMockNeedsNoKeysAndNoClouds(t *testing.T) {
	l := loaded(t, onRoute("{route_type: llm/v1/chat, auth: {azure_use_managed_identity: true, azure_client_id: '{vault://env/id}'}, "+
		"model: {provider: azure, name: x, options: {azure_instance: i, azure_deployment_id: d}}}"), nil, true)
	auth := l.routes[0].block.targets[0].auth
	if auth["azure_use_managed_identity"] != false || text(auth, "header_value") == "" {
		t.Errorf("auth is %v", auth)
	}
}

func TestBedrockOfflineIsSignedWithKeysOfNobody(t *testing.T) {
	c := map[string]any{"route_type": "llm/v1/chat", "auth": map[string]any{}, "model": map[string]any{"provider": "bedrock", "name": "m",
		"options": map[string]any{"bedrock": map[string]any{"aws_assume_role_arn": "arn"}}}}
	target := targetsOf(c)[0]
	target.offline()
	got, err := json.Marshal(c)
	const want = `{"auth":{"aws_access_key_id":"mock-secret","aws_secret_access_key":"mock-secret"},` +
		`"model":{"name":"m","options":{"bedrock":{"aws_region":"us-east-1"}},"provider":"bedrock"},"route_type":"llm/v1/chat"}`
	if err != nil || string(got) != want {
		t.Errorf("%s", got)
	}
}

func TestTheBuiltInExampleLoads(t *testing.T) {
	l := loaded(t, string(demo), nil, true)
	var b strings.Builder
	l.print(&b, "127.0.0.1:8000", "the built-in example")
	for _, want := range []string{"http://127.0.0.1:8000", "/openai/chat", "openai/gpt-4o-mini", "llm/v1/embeddings", "anthropic/claude-sonnet-4-5",
		`try:  curl http://127.0.0.1:8000/openai/chat -H 'Content-Type: application/json' -d '{"messages":`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	router, err := newRouter(l.routes)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := router.find(exchangeOf("POST", "/v1/chat/completions"), "/v1/chat/completions"); !ok {
		t.Error("no route for SDKs")
	}
}
