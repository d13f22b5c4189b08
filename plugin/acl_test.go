package plugin

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"go-ai-proxy/plugin/acl"
	"go-ai-proxy/plugin/wire"

	"github.com/coder/websocket"
)

// ruled is a configuration with rules: conf of one target, as targets.
func ruled(acls, conf string) string {
	target, _ := strings.CutPrefix(conf, "{")
	return `{"acls":{` + acls + `},"targets":[{` + target + `]}`
}

func rule(kind, condition string, values ...string) string {
	return fmt.Sprintf(`%q:[{"match":[{"type":%q,"values":["%s"]}]}]`, kind, condition, strings.Join(values, `","`))
}

func TestRulesOnModelsSeeTheModelThatIsUsed(t *testing.T) {
	templated := routeConf(chatRoute, "openai", "$(headers.x-model)", "")
	free := routeConf(chatRoute, "openai", "", "")
	for _, c := range []struct {
		name, acls, conf, body, header string
		status                         int
		want                           string
	}{
		{"denied by its value", rule("deny", "model", "gpt-4o"), templated, hello, "gpt-4o", 403, acl.Denied},
		{"another value", rule("deny", "model", "gpt-4o"), templated, hello, "gpt-4o-mini", 200, ""},
		{"allowed by its value", rule("allow", "model", "gpt-4o"), templated, hello, "gpt-4o", 200, ""},
		{"not allowed", rule("allow", "model", "gpt-4o"), templated, hello, "gpt-4", 403, acl.Denied},
		{"no value", rule("deny", "model", "gpt-4o"), templated, hello, "", 400, "headers key x-model was not provided"},
		{"the text of the template is no model", rule("deny", "model", "$(headers.x-model)"), templated, hello, "m", 200, ""},
		{"the client's", rule("deny", "model", "gpt-4o"), free, `{"model":"gpt-4o","messages":[{"role":"user","content":"x"}]}`, "", 403, acl.Denied},
		{"the client's other", rule("deny", "model", "gpt-4o"), free, `{"model":"gpt-4","messages":[{"role":"user","content":"x"}]}`, "", 200, ""},
		{"none named, allowed by model", rule("allow", "model", "gpt-4o"), free, hello, "", 403, acl.Denied},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, ruled(c.acls, c.conf), answer).elsewhere()
			var headers []string
			if c.header != "" {
				headers = []string{"X-Model", c.header}
			}
			if resp, body := b.post(c.body, headers...); resp.StatusCode != c.status || !strings.Contains(body, c.want) {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
		})
	}
}

func TestDenyRulesSeeEveryNameOfAModel(t *testing.T) {
	named := func(model string) string {
		return `{"model":"` + model + `","messages":[{"role":"user","content":"x"}]}`
	}
	contents := `{"contents":[{"role":"user","parts":[{"text":"x"}]}]}`
	geminis := strings.Replace(routeConf(chatRoute, "gemini", "", ""), `{"route_type"`, `{"route_type"`, 1)
	native := strings.Replace(ruled(rule("deny", "model", "gemini-x"), geminis), "{", `{"llm_format":"gemini",`, 1)
	for _, c := range []struct{ name, conf, path, body string }{
		{"gemini's prefix", ruled(rule("deny", "model", "gemini-x"), geminis), "/chat", named("models/gemini-x")},
		{"gemini's prefix in the rule", ruled(rule("deny", "model", "models/gemini-x"), geminis), "/chat", named("gemini-x")},
		{"gemini's path", native, "/v1beta/models/gemini-x:generateContent", contents},
		{"gemini's path with the prefix", native, "/v1beta/models/models%2Fgemini-x:generateContent", contents},
		{"gemini's path with an escape", native, "/v1beta/models/gemini%2Dx:generateContent", contents},
		{"ollama's tag", ruled(rule("deny", "model", "llama3"), routeConf(chatRoute, "ollama", "", `"upstream_url":"$UP"`)), "/chat", named("Library/Llama3:latest")},
	} {
		b := newBench(t, c.conf, answer).elsewhere()
		if resp, body := b.send("POST", c.path, asJSON, c.body); resp.StatusCode != 403 || len(b.upstreamBodies()) > 0 {
			t.Errorf("%s: %d %s", c.name, resp.StatusCode, body)
		}
	}
	b := newBench(t, ruled(rule("deny", "model", "llama3"), routeConf(chatRoute, "ollama", "", `"upstream_url":"$UP"`)), answering(`{"message":{"role":"assistant","content":"x"},"done":true}`))
	if resp, body := b.post(named("mistral")); resp.StatusCode != 200 {
		t.Errorf("another model: %d %s", resp.StatusCode, body)
	}
}

func TestModelThatCannotBeReadIsRefusedWhereARuleNeedsIt(t *testing.T) {
	preserved := routeConf("preserve", "openai", "", `"upstream_url":"$UP"`)
	spoken := routeConf("audio/v1/audio/transcriptions", "openai", "", `"upstream_url":"$UP"`)
	batches := routeConf("llm/v1/batches", "openai", "m", "")
	anthropics := `{"route_type":"llm/v1/chat","auth":{"header_name":"x-api-key","header_value":"CANARY-KEY"},"model":{"provider":"anthropic","name":"m"}}`
	unread := `{"route_type":"llm/v1/chat","auth":{"aws_access_key_id":"AKIDEXAMPLE","aws_secret_access_key":"s"},"model":{"provider":"bedrock","options":{"bedrock":{"aws_region":"us-east-1"}}}}`
	uploads := routeConf(chatRoute, "gemini", "", "")
	far := strings.Repeat("x", 40_000)
	for _, c := range []struct {
		name, format, conf, path, media, body, encoding string
		unruled                                         int // without a rule
		ruled                                           int // with one that denies the model "evil"
	}{
		{"preserve", "", preserved, "/x", asJSON, `{"model":"good"}`, "", 200, 200},
		{"preserve without a model", "", preserved, "/x", asJSON, `{"input":"x"}`, "", 200, 200},
		{"preserve, no members", "", preserved, "/x", asJSON, `{}`, "", 200, 200},
		{"preserve, no body", "", preserved, "/x", "", "", "", 200, 200},
		{"preserve, one byte", "", preserved, "/x", "", "x", "", 200, 403},
		{"preserve, expressly not encoded", "", preserved, "/x", asJSON, `{"model":"good"}`, "identity", 200, 200},
		{"preserve, denied", "", preserved, "/x", asJSON, `{"model":"evil"}`, "", 200, 403},
		{"preserve in another case", "", preserved, "/x", asJSON, `{"MODEL":"evil"}`, "", 200, 403},
		{"preserve, twice", "", preserved, "/x", asJSON, `{"model":"evil","model":"good"}`, "", 200, 403},
		{"preserve, twice, the other way round", "", preserved, "/x", asJSON, `{"model":"good","model":"evil"}`, "", 200, 403},
		{"preserve, no string", "", preserved, "/x", asJSON, `{"model":["evil"]}`, "", 200, 403},
		{"preserve with a byte order mark", "", preserved, "/x", asJSON, "\ufeff" + `{"model":"evil"}`, "", 200, 403},
		{"preserve, encoded", "", preserved, "/x", asJSON, `{"model":"good"}`, "br", 200, 403},
		{"preserve, a form", "", preserved, "/x", formType, formOf("model=evil"), "", 200, 403},
		{"preserve, in the path", "", preserved, "/v1beta/models/evil:generateContent", asJSON, `{"model":"good"}`, "", 200, 403},
		{"preserve, another in the path", "", preserved, "/v1beta/models/evil-2:generateContent", asJSON, `{"model":"good"}`, "", 200, 200},
		{"preserve, with spaces", "", preserved, "/x", asJSON, `{"model":"evil "}`, "", 200, 403},
		{"preserve, in the query", "", preserved, "/x?a=b&Mod%65l=good&model=ev%69l", asJSON, `{"model":"good"}`, "", 200, 403},
		{"preserve, another in the query", "", preserved, "/x?model=evil-2&a=evil", asJSON, `{"model":"good"}`, "", 200, 200},
		{"a form", "", spoken, "/t", formType, formOf("model=good", "file@="+far), "", 200, 200},
		{"a form, denied", "", spoken, "/t", formType, formOf("model=evil", "file@="+far), "", 200, 403},
		{"behind a file", "", spoken, "/t", formType, formOf("file@="+far, "model=evil"), "", 200, 403},
		{"behind a small file", "", spoken, "/t", formType, formOf("file@=x", "model=good"), "", 200, 200},
		{"a form for a model that is configured", "", routeConf("audio/v1/audio/transcriptions", "openai", "good", `"upstream_url":"$UP"`), "/t", formType, formOf("file@=" + far), "", 200, 200},
		{"a body that passes unread", "bedrock", unread, "/async-invoke", "text/plain", `{"modelId":"evil"}`, "", 200, 403},
		{"an upload, which has no model", "gemini", uploads, "/upload/v1beta/files", "text/plain", `x`, "", 200, 200},
		{"the lines of a batch", "", batches, "/batches", asJSON, `{"input_file_id":"file-1"}`, "", 200, 403},
		{"a list of batches", "", batches, "/batches", "", "", "", 200, 200},
		{"ours, another in the path", "", routeConf("audio/v1/audio/speech", "openai", "good", ""), "/models/evil/speech", asJSON, `{"input":"x","voice":"v"}`, "", 200, 200},
		{"messages of a batch", "anthropic", anthropics, "/v1/messages/batches", asJSON, `{"requests":[{"custom_id":"1","params":{"model":"evil"}}]}`, "", 200, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			for acls, want := range map[string]int{rule("deny", "provider", "azure"): c.unruled, rule("deny", "model", "evil"): c.ruled} {
				conf := ruled(acls, c.conf)
				if c.format != "" {
					conf = strings.Replace(conf, "{", `{"llm_format":"`+c.format+`",`, 1)
				}
				b := newBench(t, conf, answering(`{"id":"x"}`)).elsewhere()
				var headers []string
				if c.encoding != "" {
					headers = []string{"Content-Encoding", c.encoding}
				}
				method := "POST"
				if c.body == "" {
					method = "GET"
				}
				resp, body := b.send(method, c.path, c.media, c.body, headers...)
				if resp.StatusCode != want || want == 403 && len(b.upstreamBodies()) > 0 {
					t.Errorf("%s: %d %s, want %d", acls, resp.StatusCode, body, want)
				}
			}
		})
	}
}

// A live session of gemini's names its model in the first message, behind the rules.
func TestSessionWhoseModelCannotBeReadIsRefusedWhereARuleNeedsIt(t *testing.T) {
	const path = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
	for _, c := range []struct {
		model, acls string
		opens       bool
	}{
		{"", rule("deny", "model", "evil"), false},
		{"", rule("allow", "model", "good"), false},
		{"", rule("deny", "provider", "azure"), true},
		{"good", rule("deny", "model", "evil"), true},
		{"good", rule("allow", "model", "good"), true},
		{"evil", rule("deny", "model", "evil"), false},
	} {
		conf := strings.Replace(ruled(c.acls, routeConf(realtimeRoute, "gemini", c.model, "")), "{", `{"llm_format":"gemini",`, 1)
		b := newBench(t, conf, socketServer(echo)).elsewhere()
		conn, resp, err := websocket.Dial(t.Context(), b.front.URL+path, nil)
		if err == nil {
			conn.CloseNow()
		}
		if (err == nil) != c.opens || !c.opens && (resp == nil || resp.StatusCode != 403) {
			t.Errorf("model %q, %s: %v", c.model, c.acls, err)
		}
	}
}

func TestAModelInThePathIsDeniedButNeverAllowed(t *testing.T) {
	for body, want := range map[string]int{`{"model":"good"}`: 200, `{"model":"evil"}`: 403, `{"input":"x"}`: 403} {
		b := newBench(t, ruled(rule("allow", "model", "good"), routeConf("preserve", "openai", "", `"upstream_url":"$UP"`)), answer)
		if resp, said := b.send("POST", "/models/good:predict", asJSON, body); resp.StatusCode != want {
			t.Errorf("%s: %d %s", body, resp.StatusCode, said)
		}
	}
}

func TestAllowRulesDoNotCoverWhatCannotBeRead(t *testing.T) {
	conf := ruled(rule("allow", "model", "good"), routeConf("preserve", "openai", "good", `"upstream_url":"$UP"`))
	for body, want := range map[string]int{`{"model":"good"}`: 200, `{"model":"evil"}`: 400, "\ufeff" + `{"model":"good"}`: 403, `{"input":"x"}`: 200} {
		b := newBench(t, conf, answer)
		resp, said := b.send("POST", "/x", asJSON, body)
		if resp.StatusCode != want {
			t.Errorf("%s: %d %s", body, resp.StatusCode, said)
		}
		if want == 403 && strings.HasPrefix(body, "\ufeff") && !strings.Contains(said, acl.Unseen) {
			t.Errorf("%s: says %s", body, said)
		}
	}
}

func TestRulesOnPathsSeeWhatTheRouterSees(t *testing.T) {
	for _, c := range []struct {
		path        string
		deny, allow int // with rules on /t/admin, and on /t/open
	}{
		{"/t/admin", 403, 403}, {"/t/admin/", 403, 403}, {"/t/admin/x", 403, 403}, {"/t/%61dmin", 403, 403}, {"/t/%61%64min/x", 403, 403},
		{"/t//admin", 403, 403}, {"//t/admin", 403, 403}, {"/t/./admin", 403, 403}, {"/t/x/../admin", 403, 403}, {"/t/%2e/admin", 403, 403}, {"/t/x/%2E%2e/admin", 403, 403},
		{"/t%2Fadmin", 403, 403}, {"/t/open%2f..%2Fadmin", 403, 403}, {"/t/open/../admin", 403, 403},
		{"/t/admins", 200, 403}, {"/T/admin", 200, 403}, {"/t/open", 200, 200}, {"/t/open/x", 200, 200}, {"/t/opens", 200, 403}, {"/t//open", 200, 200}, {"/t/open/%61", 200, 200},
		{"/t/admin;v=1", 403, 403}, {"/t/;x/admin", 403, 403}, {"/t/admin%3Bv=1/x", 403, 403}, {"/t/x/..;/admin", 403, 403}, {"/t/open;v=1", 200, 403}, {"/t/open/x;v=1", 200, 200},
		{"/t/%6fpen", 200, 200}, {"/t/open/100%", 400, 400}, {"/t/admin/100%", 403, 403}, {"/t", 200, 403}, {"/", 200, 403},
	} {
		for acls, want := range map[string]int{rule("deny", "path", "/t/admin/"): c.deny, rule("allow", "path", "/t/op%65n"): c.allow} {
			b := newBench(t, ruled(acls, routeConf("preserve", "openai", "", `"upstream_url":"$UP"`)), answer)
			status, _ := b.serve(b.instance, hello, func(in *wire.Inbound) { in.Path, in.Kong.Path = "/x", c.path })
			if status != want {
				t.Errorf("%s, %s: %d, want %d", c.path, acls, status, want)
			}
		}
	}
}

func TestRulesOnConsumersGroupsAndHeaders(t *testing.T) {
	who := wire.Context{Consumer: wire.Consumer{ID: "c-1", Username: "ann"}, Groups: []string{"staff", "ops"}, GroupIDs: []string{"g-1"}, ClientIP: "10.1.2.3"}
	for _, c := range []struct {
		kind, key, value string
		want             bool
	}{
		{"consumer", "username", "ann", true}, {"consumer", "username", "c-1", false}, {"consumer", "id", "c-1", true}, {"consumer", "id", "ann", false},
		{"consumer_group", "name", "ops", true}, {"consumer_group", "name", "g-1", false}, {"consumer_group", "id", "g-1", true}, {"consumer_group", "id", "ops", false},
		{"header", "x-team", "red", true}, {"header", "x-team", "blue", true}, {"header", "x-team", "green", false}, {"header", "x-other", "red", false},
		{"provider", "", "openai", true}, {"provider", "", "azure", false}, {"ip", "", "10.0.0.0/8", true}, {"ip", "", "11.0.0.0/8", false},
	} {
		acls := fmt.Sprintf(`"deny":[{"match":[{"type":%q,"key":%q,"values":[%q]}]}]`, c.kind, c.key, c.value)
		if c.key == "" {
			acls = rule("deny", c.kind, c.value)
		}
		b := newBench(t, ruled(acls, routeConf(chatRoute, "openai", "m", "")), answer).elsewhere()
		status, _ := b.serve(b.instance, hello, func(in *wire.Inbound) { in.Kong, in.Header["X-Team"] = who, []string{"red", "blue"} })
		if (status == http.StatusForbidden) != c.want {
			t.Errorf("%s %s %s: %d", c.kind, c.key, c.value, status)
		}
	}
}
