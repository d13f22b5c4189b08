package standalone

import (
	"maps"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin"
	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/translators/conformance/workload"
)

// routesOf loads routes, each with a plugin, and returns their router.
func routesOf(t *testing.T, routes string) *router {
	t.Helper()
	r, err := loadText(t, "services: [{name: s, url: 'http://localhost/base', plugins: [{name: go-ai-proxy, config: "+plainConfig+"}], routes: ["+routes+"]}]", nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const plainConfig = `{route_type: llm/v1/chat, auth: {header_name: Authorization, header_value: Bearer k}, model: {provider: openai, name: gpt-4o}}`

func loadText(t *testing.T, text string, env map[string]string) (*router, error) {
	t.Helper()
	relay := plugin.NewRelay(testSchema, zerolog.Nop(), enginetest.Kind)
	t.Cleanup(relay.Close)
	l := &loader{relay: relay, getenv: func(name string) string { return env[name] }}
	err := l.load([]byte(text))
	return l.router, err
}

func TestRoutesAreFoundInKongsOrder(t *testing.T) {
	for _, c := range []struct {
		name, routes, method, url string
		headers                   map[string]string
		want                      string // "" is none
	}{
		{"a prefix", `{name: a, paths: [/a]}`, "POST", "/a/b", nil, "a"},
		{"a prefix ends anywhere, as in Kong", `{name: a, paths: [/a]}`, "POST", "/abc", nil, "a"},
		{"no route", `{name: a, paths: [/a]}`, "POST", "/b", nil, ""},
		{"the longest prefix", `{name: short, paths: [/v1]}, {name: long, paths: [/v1/chat]}`, "POST", "/v1/chat/x", nil, "long"},
		{"each path counts by itself", `{name: a, paths: [/, /v1/chat]}, {name: b, paths: [/v1]}`, "POST", "/v1/chat", nil, "a"},
		{"a regex before a longer prefix", `{name: prefix, paths: [/v1/chat/completions]}, {name: regex, paths: ['~/v1/[a-z]+']}`, "POST", "/v1/chat/completions", nil, "regex"},
		{"regex_priority among regexes", `{name: low, paths: ['~/v1/.*']}, {name: high, paths: ['~/v1/c'], regex_priority: 5}`, "POST", "/v1/chat", nil, "high"},
		{"regex_priority is nothing to prefixes", `{name: first, paths: [/v1/c]}, {name: other, paths: [/v1], regex_priority: 9}`, "POST", "/v1/c", nil, "first"},
		{"a regex is anchored at the start", `{name: r, paths: ['~/chat$']}`, "POST", "/v1/chat", nil, ""},
		{"an alternative is anchored, too", `{name: r, paths: ['~/a|/b']}`, "POST", "/x/b", nil, ""},
		{"a method", `{name: get, paths: [/a], methods: [GET]}, {name: any, paths: [/a]}`, "POST", "/a", nil, "any"},
		{"more demands come first", `{name: any, paths: [/abc]}, {name: get, paths: [/a], methods: [GET]}`, "GET", "/abc", nil, "get"},
		{"a host", `{name: other, hosts: [b.test], paths: [/a]}, {name: a, hosts: [a.test], paths: [/a]}`, "POST", "http://A.test:8000/a", nil, "a"},
		{"a host with its port", `{name: a, hosts: ['a.test:9'], paths: [/a]}`, "POST", "http://a.test:8000/a", nil, ""},
		{"a wildcard after a plain host", `{name: wild, hosts: ['*.test'], paths: [/a]}, {name: plain, hosts: [a.test], paths: [/a]}`, "POST", "http://a.test/a", nil, "plain"},
		{"a wildcard at the end", `{name: wild, hosts: ['a.*'], paths: [/a]}`, "POST", "http://a.example/a", nil, "wild"},
		{"a header", `{name: h, paths: [/a], headers: {x-team: [red, blue]}}`, "POST", "/a", map[string]string{"X-Team": "Blue"}, "h"},
		{"a header that is another", `{name: h, paths: [/a], headers: {x-team: [red]}}`, "POST", "/a", map[string]string{"X-Team": "blue"}, ""},
		{"a header by expression", `{name: h, paths: [/a], headers: {x-team: ['~*^bl']}}`, "POST", "/a", map[string]string{"X-Team": "blue"}, "h"},
		{"methods alone", `{name: m, methods: [DELETE]}`, "DELETE", "/anything", nil, "m"},
		{"https alone serves, too", `{name: s, paths: [/a], protocols: [https]}`, "POST", "/a", nil, "s"},
		{"double slashes and dots are gone", `{name: a, paths: [/v1/chat]}`, "POST", "/x/..//v1/./chat", nil, "a"},
		{"an escaped letter is a letter", `{name: a, paths: [/v1]}`, "POST", "/%761", nil, "a"},
		{"an escaped slash is none", `{name: a, paths: [/v1/a]}`, "POST", "/v1%2fa", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := exchangeOf(c.method, c.url)
			for k, v := range c.headers {
				r.Header.Set(k, v)
			}
			m, ok := routesOf(t, c.routes).find(r, routes.NormalizePath(r.Path))
			if ok != (c.want != "") || ok && m.name != c.want {
				t.Fatalf("found %v, want %q", m.route, c.want)
			}
		})
	}
}

func TestNamedCapturesComeFromTheNormalizedPath(t *testing.T) {
	for _, c := range []struct {
		path, url string
		want      map[string]string
	}{
		{"~/(?<model>[^#?/]+)/chat$", "/gpt-4/chat", map[string]string{"model": "gpt-4"}},
		{"~/(?P<model>[^/]+)/chat$", "/gpt-4/chat", map[string]string{"model": "gpt-4"}},
		{"~/m/(?<model>[^/]+)", "/m/a%3Ab%2f..%2Fc%20d", map[string]string{"model": "a%3Ab%2F..%2Fc d"}},
		{"~/a(?<b>/x)?(?<c>/y)", "/a/y", map[string]string{"c": "/y"}},
		{"~/a/([0-9]+)", "/a/1", nil},
	} {
		r := exchangeOf("POST", c.url)
		m, ok := routesOf(t, "{name: r, paths: ['"+c.path+"']}").find(r, routes.NormalizePath(r.Path))
		if !ok || !maps.Equal(m.captures, c.want) {
			t.Errorf("%s of %s: %v, want %v", c.path, c.url, m.captures, c.want)
		}
	}
}

func TestUnsupportedRegularExpressionsAreReported(t *testing.T) {
	for _, p := range []string{`~/(?!a)b`, `~/(a)\1`, `~/(?<a>x`, `chat`} {
		_, err := loadText(t, "services: [{name: s, url: 'http://localhost', plugins: [{name: go-ai-proxy, config: "+plainConfig+"}], routes: [{name: r, paths: ['"+p+"']}]}]", nil)
		if err == nil || !strings.Contains(err.Error(), "services[s].routes[r].paths[1]") {
			t.Errorf("%s: %v", p, err)
		}
	}
}

func TestForwardedPathsAreKongs(t *testing.T) {
	for _, c := range []struct {
		base, path string
		matched    int
		strip      bool
		want       string
	}{
		{"", "/openai/chat", 12, true, "/"},
		{"", "/openai/chat/x", 12, true, "/x"},
		{"", "/openai/chat/x", 12, false, "/openai/chat/x"},
		{"/", "/openai/chat", 12, true, "/"},
		{"/base", "/v1/chat", 3, true, "/base/chat"},
		{"/base/", "/v1/chat", 3, true, "/base/chat"},
		{"/base", "/v1", 3, true, "/base"},
		{"/base", "/v1/", 3, true, "/base/"},
		{"/base/", "/v1", 3, true, "/base"},
		{"/base", "/v1abc", 3, true, "/base/abc"},
		{"/base", "/v1/chat", 3, false, "/base/v1/chat"},
		{"/base", "/", 1, false, "/base"},
		{"/base", "/v1../secret", 3, true, "/base/secret"},
		{"/base", "/v1..", 3, true, "/base"},
	} {
		if got := forwarded(c.base, c.path, c.matched, c.strip); got != c.want {
			t.Errorf("forwarded(%q, %q, %d, %v) = %q, want %q", c.base, c.path, c.matched, c.strip, got, c.want)
		}
	}
}

func TestPathsAreNormalizedAsInKong(t *testing.T) {
	for path, want := range map[string]string{
		"/": "/", "": "", "/a": "/a", "/a/": "/a/", "//a": "/a", "/a//b": "/a/b", "/a//": "/a/",
		"/a/./b": "/a/b", "/a/../b": "/b", "/../../b": "/b", "/a/b/..": "/a/", "/a/.": "/a/", "/.well-known": "/.well-known",
		"/%7Ea%41": "/~aA", "/a%2fb%2Fc": "/a%2Fb%2Fc", "/%2e%2e/b": "/b", "/a%": "/a%", "/a%zz": "/a%zz", "/%c3%a9": "/é", "/...": "/...",
	} {
		got := routes.NormalizePath(path)
		if got != want {
			t.Errorf("normalize(%q) = %q, want %q", path, got, want)
		}
	}
}

// What has been normalized must not change by being normalized again, and must
// hold no step upwards: routes and services rely on it.
func FuzzNormalizedPathsStayInPlace(f *testing.F) {
	for _, s := range []string{"/a/../b", "/%2e%2e/%2f", "//", "/./..//.", "/a%252fb", "/é%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		defer workload.Linear(t, len(path))()
		once := routes.NormalizePath("/" + path)
		if strings.Contains(once+"/", "/../") || strings.Contains(once, "//") {
			t.Fatalf("normalize(%q) = %q", "/"+path, once)
		}
		if !strings.Contains(once, "%") && routes.NormalizePath(once) != once {
			t.Fatalf("normalize(%q) = %q, and again %q", "/"+path, once, routes.NormalizePath(once))
		}
		if forwarded("/base", once, 1, true)[:5] != "/base" {
			t.Fatalf("%q left its base", once)
		}
	})
}
