package plugin

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// servesModels is a configuration of targets with these members, in a format.
func servesModels(format, acls string, targets ...string) string {
	targets = slices.Clone(targets)
	for i, t := range targets {
		targets[i] = `{"auth":{"header_name":"Authorization","header_value":"Bearer CANARY-KEY"},"logging":{"log_statistics":true},` + t + `}`
	}
	if acls != "" {
		acls = `,"acls":` + acls
	}
	return `{"llm_format":"` + format + `","targets":[` + strings.Join(targets, ",") + `]` + acls + `}`
}

func chatTarget(provider, name, alias string) string {
	t := `"route_type":"llm/v1/chat","model":{"provider":"` + provider + `","options":{}`
	if name != "" {
		t += `,"name":"` + name + `"`
	}
	if alias != "" {
		t += `,"model_alias":"` + alias + `"`
	}
	return t + `}`
}

func unasked(t *testing.T) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the provider was asked %s %s", r.Method, r.URL)
	}
}

func TestModelsOfTheRouteAreListedInTheClientsFormat(t *testing.T) {
	several := []string{
		chatTarget("openai", "gpt-4o", ""), chatTarget("mistral", "mistral-large", "smart"), chatTarget("xai", "grok-4", "smart"),
		chatTarget("openai", "$(headers.x-model)", ""), chatTarget("openai", "$(headers.x-model)", "mine"),
	}
	const openAIModel = `{"id":"smart","object":"model","created":0,"owned_by":"mistral"}`
	const claudeModel = `{"type":"model","id":"smart","display_name":"smart","created_at":"1970-01-01T00:00:00Z"}`
	const geminiModel = `{"name":"models/smart","displayName":"smart","supportedGenerationMethods":["generateContent","countTokens"]}`
	for _, c := range []struct{ format, path, want string }{
		{"openai", "/v1/models", `{"object":"list","data":[{"id":"gpt-4o","object":"model","created":0,"owned_by":"openai"},` + openAIModel + `,{"id":"mine","object":"model","created":0,"owned_by":"openai"}]}`},
		{"openai", "/ai/models/", `{"object":"list"`},
		{"openai", "/v1/models/smart", openAIModel},
		{"openai", "/models/x/models/smart", openAIModel},
		{"anthropic", "/v1/models", claudeModel + `,{"type":"model","id":"mine","display_name":"mine","created_at":"1970-01-01T00:00:00Z"}],"has_more":false,"first_id":"gpt-4o","last_id":"mine"}`},
		{"anthropic", "/claude/v1/models/smart", claudeModel},
		{"gemini", "/v1beta/models", geminiModel + `,{"name":"models/mine"`},
		{"gemini", "/v1beta/models/smart", geminiModel},
	} {
		b := newBench(t, servesModels(c.format, "", several...), unasked(t))
		resp, got := b.send("GET", c.path, "", "")
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json; charset=utf-8" || !strings.Contains(got, c.want) || strings.Contains(got, "$(") {
			t.Errorf("%s %s: %d %s", c.format, c.path, resp.StatusCode, got)
		}
		if rec := b.record(); at(rec, "meta.outcome") != "completed" || at(rec, "usage.total_tokens") != 0.0 {
			t.Errorf("%s: record %v", c.format, rec)
		}
		head, body := b.send("HEAD", c.path, "", "")
		if head.StatusCode != 200 || head.ContentLength != int64(len(got)) || body != "" {
			t.Errorf("HEAD %s: %d, %d bytes, want %d", c.path, head.StatusCode, head.ContentLength, len(got))
		}
		b.record()
	}
}

func TestUnknownModelIsNotFoundInTheClientsFormat(t *testing.T) {
	for format, want := range map[string]string{
		"openai":    `"code":"model_not_found"`,
		"anthropic": `"type":"not_found_error"`,
		"gemini":    `"status":"NOT_FOUND"`,
	} {
		b := newBench(t, servesModels(format, "", chatTarget("mistral", "m", "")), unasked(t))
		resp, got := b.send("GET", "/v1/models/other", "", "")
		if resp.StatusCode != 404 || !strings.Contains(got, want) || !strings.Contains(got, "'other'") {
			t.Errorf("%s: %d %s", format, resp.StatusCode, got)
		}
		if rec := b.record(); at(rec, "meta.outcome") != "refused" {
			t.Errorf("record %v", rec)
		}
	}
}

func TestModelsThatAClientMayNotUseAreNotListed(t *testing.T) {
	rules := `{"deny":[{"match":[{"type":"model","values":["secret"]}]},{"match":[{"type":"header","key":"x-team","values":["guests"]},{"type":"provider","values":["xai"]}]}]}`
	b := newBench(t, servesModels("openai", rules, chatTarget("openai", "gpt-4o", ""), chatTarget("mistral", "secret", ""), chatTarget("xai", "grok-4", "")), unasked(t))
	for team, want := range map[string]string{"staff": "gpt-4o grok-4", "guests": "gpt-4o"} {
		_, got := b.send("GET", "/v1/models", "", "", "X-Team", team)
		for _, id := range []string{"gpt-4o", "secret", "grok-4"} {
			if strings.Contains(got, `"`+id+`"`) != strings.Contains(want, id) {
				t.Errorf("%s: %s", team, got)
			}
		}
		b.record()
		if resp, _ := b.send("GET", "/v1/models/secret", "", ""); resp.StatusCode != 404 {
			t.Errorf("a denied model: %d", resp.StatusCode)
		}
		b.record()
	}
}

func TestModelsWithSlashesAreFound(t *testing.T) {
	b := newBench(t, servesModels("openai", "", chatTarget("openai", "org/models/m", "")), unasked(t))
	for _, path := range []string{"/v1/models/org/models/m", "/v1/models/org%2Fmodels%2Fm", "/models/v1/models/org/models/m"} {
		if resp, got := b.send("GET", path, "", ""); resp.StatusCode != 200 || !strings.Contains(got, `"org/models/m"`) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, got)
		}
		b.record()
	}
}

func TestModelsAreAskedOfTheProviderWhereOnlyPreserveIsServed(t *testing.T) {
	b := newBench(t, routeConf("preserve", "openai", "gpt-4o", `"upstream_url":"$UP"`), answering(`{"object":"list","data":[]}`))
	if _, got := b.send("GET", "/v1/models", "", ""); got != `{"object":"list","data":[]}` {
		t.Errorf("got %s", got)
	}
	b.record()
}

func TestPatternsAreNotListedButFound(t *testing.T) {
	b := newBench(t, servesModels("anthropic", "", chatTarget("openai", "gpt-5", "claude-sonnet-*"), chatTarget("openai", "gpt-5-mini", "fast, claude-haiku-*")), unasked(t))
	if _, got := b.send("GET", "/v1/models", "", ""); !strings.Contains(got, `"id":"gpt-5"`) || !strings.Contains(got, `"id":"fast"`) || strings.Contains(got, "*") || strings.Contains(got, "mini") {
		t.Errorf("list: %s", got)
	}
	if resp, got := b.send("GET", "/v1/models/claude-haiku-4-5", "", ""); resp.StatusCode != 200 || !strings.Contains(got, `"id":"claude-haiku-4-5"`) {
		t.Errorf("one: %d %s", resp.StatusCode, got)
	}
	if resp, got := b.send("GET", "/v1/models/claude-opus-4-5", "", ""); resp.StatusCode != 404 {
		t.Errorf("none: %d %s", resp.StatusCode, got)
	}
}

// Codex cannot read OpenAI's list of models, and asks only routes of responses.
func TestRouteOfResponsesListsModelsButNotForCodex(t *testing.T) {
	b := newBench(t, confFor("llm/v1/responses"), unasked(t)).elsewhere()
	for path, listed := range map[string]bool{
		"/v1/models": true, "/v1/models/gpt-4o": true, "/v1/models/other": false, "/ai/v1/models/": true,
		"/v1/models?client_version=0.171.0": false, "/models": false, "/models?client_version=0.171.0": false,
	} {
		resp, got := b.send("GET", path, "", "")
		if (resp.StatusCode == 200) != listed || strings.Contains(got, `"id":"gpt-4o"`) != listed {
			t.Errorf("%s: %d %s", path, resp.StatusCode, got)
		}
	}
}
