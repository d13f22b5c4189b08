package standalone

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin"
	"go-ai-proxy/plugin/engine/enginetest"
)

// at puts a plugin's config on a route of a service.
func onRoute(config string) string {
	return "services: [{name: s, url: 'http://localhost', routes: [{name: r, paths: [/a], plugins: [{name: go-ai-proxy, config: " + config + "}]}]}]"
}

func TestInvalidConfigurationIsReportedInOneLineWithTheField(t *testing.T) {
	with := func(auth, model string) string {
		return onRoute("{route_type: llm/v1/chat, auth: {" + auth + "}, model: {" + model + "}}")
	}
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "the file is empty"},
		{"no YAML", "services: [", "did not find expected node content"},
		{"services are no list", "services: 5", "services: expected an array"},
		{"unknown field of a service", "services: [{name: s, url: 'http://x', route: []}]", "services[s].route: unknown field"},
		{"unknown field of a route", "services: [{name: s, url: 'http://x', routes: [{name: r, path: /a}]}]", "services[s].routes[r].path: unknown field"},
		{"a route without a name", "services: [{name: s, url: 'http://x', routes: [{name: a, paths: [/a]}, {name: , strip_path: true}]}]", "services[s].routes[2]: must set one of 'methods', 'hosts', 'headers', 'paths'"},
		{"a list that is a string", "services: [{name: s, url: 'http://x', routes: [{name: r, paths: /a}]}]", "services[s].routes[r].paths: expected an array"},
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
	relay := plugin.NewRelay(testSchema, zerolog.Nop(), enginetest.Kind)
	t.Cleanup(relay.Close)
	l := &loader{relay: relay, getenv: func(name string) string { return env[name] }, mock: mock}
	if err := l.load([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestReferencesAreReadFromTheEnvironment(t *testing.T) {
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

func TestValuesHaveTheirTypesInKongsWords(t *testing.T) {
	for text, want := range map[string]string{
		"hello":           "the file: expected a record",
		"- services":      "the file: expected a record",
		"services: {}":    "services: expected an array",
		"services: [5]":   "services[1]: expected a record",
		"services: [{}]":  "services[1]: needs url, or host",
		"plugins: [[]]":   "plugins[1]: expected a record",
		"plugins: [null]": "plugins[1].name: required field missing",
		"services: [{name: s, url: 'http://x', port: http}]":                                                                            "services[s].port: expected an integer",
		"services: [{name: s, url: 'http://x', enabled: sk-canary}]":                                                                    "services[s].enabled: expected a boolean",
		"services: [{name: s, url: [http]}]":                                                                                            "services[s].url: expected a string",
		"services: [{name: [s], url: 'http://x'}]":                                                                                      "services[1].name: expected a string",
		"services: [{name: s, url: 'http://x', routes: {name: r}}]":                                                                     "services[s].routes: expected an array",
		"services: [{name: s, url: 'http://x', routes: [{name: r, paths: [/a, [/b]]}]}]":                                                "services[s].routes[r].paths[2]: expected a string",
		"services: [{name: s, url: 'http://x', routes: [{name: r, headers: [x]}]}]":                                                     "services[s].routes[r].headers: expected a record",
		"services: [{name: s, url: 'http://x', routes: [{name: r, headers: {a: [x], b: y}}]}]":                                          "services[s].routes[r].headers.b: expected an array",
		"services: [{name: s, url: 'http://x', routes: [{name: r, paths: &p [/a]}, {name: q, methods: &q GET}, {name: t, hosts: *q}]}]": "services[s].routes[q].methods: expected an array",
		"services: [{name: s, url: 'http://x', routes: [{name: r, paths: [/a], plugins: [{name: go-ai-proxy, config: sk-canary}]}]}]":   "services[s].routes[r].plugins[go-ai-proxy].config: expected a record",
		"services: [{name: s, url: 'http://x', name: t}]":                                                                               "services[1]: line 1: mapping key \"name\" already defined at line 1",
		"routes: []\nroutes: []": "line 2: mapping key \"routes\" already defined at line 1",
	} {
		_, err := loadText(t, text, nil)
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestConfigurationThatServesNothingSaysWhy(t *testing.T) {
	ours := func(more string) string { return "{name: go-ai-proxy, config: " + plainConfig + more + "}" }
	served := func(service, route, plugins string) string {
		return "services: [{name: s, url: 'http://x'" + service + ", routes: [{name: r, paths: [/a]" + route + "}]}]\nplugins: [" + plugins + "]"
	}
	const none = "no route has the plugin go-ai-proxy"
	for _, c := range []struct{ name, text, want string }{
		{"no plugin", served("", "", ""), none},
		{"no route", "plugins: [" + ours("") + "]", "there is no route"},
		{"another plugin", served("", "", "{name: key-auth}"), none + ": not served without Kong: plugin key-auth"},
		{"not enabled", served("", "", ours(", enabled: false")), none + ": plugins[go-ai-proxy] is not enabled"},
		{"a service that is not enabled", served(", enabled: false", "", ours("")), none + ": services[s].routes[r] is not served: services[s] is not enabled"},
		{"a service that is not enabled, by name", "services: [{name: s, url: 'http://x', enabled: false}]\nroutes: [{name: r, paths: [/a], service: s}]\nplugins: [" + ours("") + "]",
			none + ": routes[r] is not served: services[s] is not enabled"},
		{"another protocol", served("", ", protocols: [grpc, tcp]", ours("")), none + ": services[s].routes[r] is not served: its protocols are grpc, tcp"},
		{"another protocol of the route that is named", served("", ", protocols: [tls]", ours(", route: r")), none + ": services[s].routes[r] is not served: its protocols are tls"},
		{"another protocol of the plugin", served("", "", ours(", protocols: [grpc]")), none + ": plugins[go-ai-proxy] is not served: its protocols are grpc"},
		{"a consumer", served("", "", ours(", consumer: x")), none + ": plugins[go-ai-proxy] is not served: there are no consumers without Kong"},
		{"a group", served("", "", ours(", consumer_group: {name: x}")), none + ": plugins[go-ai-proxy] is not served: there are no consumers without Kong"},
		{"inside a consumer", served("", "", "") + "\nconsumers: [{username: x, plugins: [{name: rate-limiting}, " + ours("") + "]}]",
			none + ": consumers[x].plugins[go-ai-proxy] is not served: there are no consumers without Kong; not served without Kong: consumers"},
		{"inside a group", served("", "", "") + "\nconsumer_groups: [{name: g, plugins: [" + ours("") + "]}]",
			none + ": consumer_groups[g].plugins[go-ai-proxy] is not served: there are no consumers without Kong; not served without Kong: consumer_groups"},
		{"misspelt", served("", "", strings.Replace(ours(""), "go-ai-proxy", "go-ai-prxy", 1)), `plugins[go-ai-prxy].name: there is no plugin "go-ai-prxy": go-ai-proxy is meant`},
		{"misspelt, nested", served(", plugins: ["+strings.Replace(ours(""), "go-ai-proxy", "go_ai_proxy", 1)+"]", "", ""), `services[s].plugins[go_ai_proxy].name: there is no plugin "go_ai_proxy": go-ai-proxy is meant`},
		{"a misspelt list", "service: [{name: s, url: 'http://x'}]", "service: unknown field: services is meant"},
		{"another misspelt list", "pluginss: []", "pluginss: unknown field: plugins is meant"},
		{"two for all", served("", "", ours("")+", "+ours("")), "plugins[go-ai-proxy]: there is another one in the same place"},
		{"two for a route", served("", ", plugins: ["+ours("")+"]", ours(", route: r")), "plugins[go-ai-proxy]: there is another one in the same place"},
		{"two for a service", served(", plugins: ["+ours("")+"]", "", ours(", service: {name: s}")), "plugins[go-ai-proxy]: there is another one in the same place"},
	} {
		if _, err := loadText(t, c.text, nil); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v\nwant %s", c.name, err, c.want)
		}
	}
	for _, name := range []string{"my-ai-proxy", "go-ai-proxy-extended", "ai-prompt-guard"} {
		l := loaded(t, served("", "", "{name: "+name+"}, "+ours(", protocols: [grpc, https]")), nil, false)
		if len(l.notes) != 1 || l.notes[0] != "not served without Kong: plugin "+name {
			t.Errorf("notes %q", l.notes)
		}
	}
}

func TestUnreplacedPlaceholdersAreRefused(t *testing.T) {
	const (
		ofDecK = `: ${{ env "…" }} is replaced by decK only: use {vault://env/…}, or write the value`
		part   = ": a reference to a vault must be the whole of a value: put what stands around it into the secret"
		whole  = ": a reference to a vault is not replaced here: write the value"
		at     = "services[s].routes[r].plugins[go-ai-proxy]: config."
	)
	inConfig := func(value, alias string) string {
		return onRoute("{targets: [{route_type: llm/v1/chat, auth: {header_name: x-key, header_value: " + value + "}, model: {provider: openai, name: x, model_alias: " + alias + "}}]}")
	}
	for _, c := range []struct{ name, text, want string }{
		{"decK's, in a secret", inConfig(`'Bearer ${{ env "DECK_CANARY" }}'`, "y"), at + "targets[1].auth.header_value" + ofDecK},
		{"decK's, without spaces", inConfig(`'${{env "DECK_CANARY"}}'`, "y"), at + "targets[1].auth.header_value" + ofDecK},
		{"a reference behind text", inConfig("'Bearer {vault://env/canary}'", "y"), at + "targets[1].auth.header_value" + part},
		{"a reference before text", inConfig("'{vault://env/canary} canary'", "y"), at + "targets[1].auth.header_value" + part},
		{"two references", inConfig("k", "'{vault://env/a}{vault://env/b}'"), at + "targets[1].model.model_alias" + part},
		{"where none is replaced", inConfig("k", "'{vault://env/openai-key}'"), at + "targets[1].model.model_alias" + whole},
		{"in the value of a reference", inConfig("'{vault://env/nested}'", "y"), at + "targets[1].auth.header_value" + whole},
		{"all of them", inConfig("'a {vault://env/canary}'", "'${{ env }}'"), at + "targets[1].auth.header_value" + part + "; config.targets[1].model.model_alias" + ofDecK},
		{"in a service", `services: [{name: s, url: 'http://${{ env "HOST" }}/'}]`, "services[s].url" + ofDecK},
		{"in a route", `routes: [{name: r, paths: [/a, '/${{ env "P" }}']}]`, "routes[r].paths[2]" + ofDecK},
		{"in a header of a route", `routes: [{name: r, headers: {x-key: ['{vault://env/canary}']}}]`, "routes[r].headers.x-key[1]" + whole},
	} {
		_, err := loadText(t, c.text, map[string]string{"NESTED": "{vault://env/other}"})
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: %v\nwant %s", c.name, err, c.want)
		}
	}
	for _, value := range []string{"'{{ environment }}'", "'{vault:x}'", "'$ {{ env }}'"} {
		loaded(t, inConfig("k", value), nil, false)
	}
}

func TestMostSpecificPluginApplies(t *testing.T) {
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

func TestMockNeedsNoKeysAndNoClouds(t *testing.T) {
	l := loaded(t, onRoute("{route_type: llm/v1/chat, auth: {azure_use_managed_identity: true, azure_client_id: '{vault://env/id}'}, "+
		"model: {provider: azure, name: x, options: {azure_instance: i, azure_deployment_id: d}}}"), nil, true)
	auth := l.routes[0].block.targets[0].auth
	if auth["azure_use_managed_identity"] != false || text(auth, "header_value") == "" {
		t.Errorf("auth is %v", auth)
	}
}

func TestBedrockOfflineIsSignedWithDummyKeys(t *testing.T) {
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

func TestBuiltInExampleLoads(t *testing.T) {
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
