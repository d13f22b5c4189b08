package plugin

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"go-ai-proxy/plugin/wire"
)

// Kong's texts.
const (
	textNoPrompts  = "request body doesn't contain valid prompts"
	textTwoFormats = "request matches multiple LLM request formats"
)

// curl -d says of anything that it is a form.
func TestJSONIsReadWithCurlsDefaultContentType(t *testing.T) {
	for _, media := range []string{"", "application/x-www-form-urlencoded", "application/json", "application/json; charset=utf-8", "application/vnd.api+json"} {
		b := newBench(t, chatConf, answer)
		if resp, body := b.send("POST", "/chat", media, " "+hello); resp.StatusCode != 200 {
			t.Errorf("%q: %d %s", media, resp.StatusCode, body)
			continue
		}
		r, sent := b.asked()
		if !strings.Contains(sent, `"messages"`) || r.Header.Get("Content-Type") != asJSON {
			t.Errorf("%q: sent %s as %s", media, sent, r.Header.Get("Content-Type"))
		}
	}
	edits := newBench(t, confFor("image/v1/images/edits"), answering(`{"data":[]}`))
	if resp, body := edits.send("POST", "/i", "application/x-www-form-urlencoded", `{"prompt":"x","images":[]}`); resp.StatusCode != 200 {
		t.Errorf("an edit: %d %s", resp.StatusCode, body)
	}
	b := newBench(t, chatConf, answer)
	if resp, body := b.send("POST", "/chat", "application/x-www-form-urlencoded", `{"messages":[`); resp.StatusCode != 400 || !strings.Contains(body, "not valid JSON") {
		t.Errorf("broken: %d %s", resp.StatusCode, body)
	}
	completions := newBench(t, confFor("llm/v1/completions"), answering(`{"choices":[]}`))
	if resp, body := completions.send("POST", "/c", "application/x-www-form-urlencoded", `prompt=hi`); resp.StatusCode != 200 {
		t.Errorf("a form: %d %s", resp.StatusCode, body)
	}
}

func TestBadRequestsGetAReasonInTheirFormat(t *testing.T) {
	native := func(format, provider, model string) string {
		return `{"llm_format":"` + format + `","route_type":"llm/v1/chat","auth":{"header_name":"x","header_value":"CANARY-KEY"},"model":{"provider":"` + provider + `","name":"` + model + `","options":{"bedrock":{"aws_region":"us-east-1"}}}}`
	}
	gemini := strings.Replace(native("gemini", "gemini", "m"), `"bedrock":{"aws_region":"us-east-1"}`, "", 1)
	claude := strings.Replace(native("anthropic", "anthropic", "m"), `"bedrock":{"aws_region":"us-east-1"}`, "", 1)
	nova := strings.Replace(native("bedrock", "bedrock", "m"), `"auth":{"header_name":"x","header_value":"CANARY-KEY"},`, `"auth":{"aws_access_key_id":"AK","aws_secret_access_key":"SK"},`, 1)
	for _, c := range []struct {
		name, conf, method, path, media, body string
		status                                int
		message, param, allow                 string // where they are in the format
	}{
		{"chat as text", chatConf, "POST", "/chat", "text/plain", "hello", 415, `content-type "text/plain" is not taken here: send application/json`, "", ""},
		{"chat as a multipart form", chatConf, "POST", "/chat", formType, formOf("x=y"), 415, "send application/json", "", ""},
		{"chat as XML", chatConf, "POST", "/chat", "application/xml", "<a/>", 415, "send application/json", "", ""},
		{"chat without messages", chatConf, "POST", "/chat", asJSON, `{"x":1}`, 400, textNoPrompts, "messages", ""},
		{"a completion without prompt", confFor("llm/v1/completions"), "POST", "/c", asJSON, `{"x":1}`, 400, textNoPrompts, "prompt", ""},
		{"an embedding without input", confFor("llm/v1/embeddings"), "POST", "/e", asJSON, `{"input":""}`, 400, "input: is missing or empty", "input", ""},
		{"a response without input", confFor("llm/v1/responses"), "POST", "/responses", asJSON, `{"input":null}`, 400, "input: is missing or empty", "input", ""},
		{"chat without a body", chatConf, "POST", "/chat", asJSON, "", 400, "the request has no body: send a JSON object", "", ""},
		{"chat by GET", chatConf, "GET", "/chat", "", "", 405, "GET is not a method of llm/v1/chat: use POST", "", "POST"},
		{"chat by DELETE", chatConf, "DELETE", "/chat", asJSON, hello, 405, "DELETE is not a method of llm/v1/chat: use POST", "", "POST"},
		{"files by PATCH", confFor("llm/v1/files"), "PATCH", "/files/file-1", "", "", 405, "use GET or DELETE", "", "GET, HEAD, DELETE"},
		{"realtime by POST", confFor(realtimeRoute), "POST", "/realtime", asJSON, hello, 405, "use GET", "", "GET"},
		{"TRACE", chatConf, "TRACE", "/chat", "", "", 405, "TRACE is not a method of this gateway", "", "GET, HEAD, POST, PUT, PATCH, DELETE"},
		{"a file's share", confFor("llm/v1/files"), "GET", "/files/file-1/share", "", "", 404, "the paths are /files /files/{id} /files/{id}/content", "", ""},

		{"anthropic as text", claude, "POST", "/v1/messages", "text/plain", "hello", 415, "send application/json", "", ""},
		{"anthropic without messages", claude, "POST", "/v1/messages", asJSON, `{"max_tokens":5}`, 400, "messages: is missing or empty", "", ""},
		{"anthropic by GET", claude, "GET", "/v1/messages", "", "", 405, "GET is not a method of /v1/messages: use POST", "", "POST"},
		{"anthropic elsewhere", claude, "POST", "/v1/complete", asJSON, `{}`, 404, "the paths are /v1/messages", "", ""},
		{"gemini as text", gemini, "POST", "/v1beta/models/m:generateContent", "text/plain", "hello", 415, "send application/json", "", ""},
		{"gemini without contents", gemini, "POST", "/v1beta/models/m:generateContent", asJSON, `{}`, 400, "contents: is missing or empty", "", ""},
		{"gemini by PUT", gemini, "PUT", "/v1beta/models/m:generateContent", asJSON, `{}`, 405, "use POST", "", "POST"},
		{"bedrock as text", nova, "POST", "/model/m/converse", "text/plain", "hello", 415, "send application/json", "", ""},
		{"bedrock without messages", nova, "POST", "/model/m/converse", asJSON, `{}`, 400, "messages: is missing or empty", "", ""},
		{"bedrock by GET", nova, "GET", "/model/m/converse", "", "", 405, "use POST", "", "POST"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, c.conf, answer).elsewhere()
			resp, body := b.send(c.method, c.path, c.media, c.body)
			message, param := toldBy(t, c.conf, body)
			if resp.StatusCode != c.status || !strings.Contains(message, c.message) || param != c.param || resp.Header.Get("Allow") != c.allow {
				t.Errorf("%d %s, Allow %q", resp.StatusCode, body, resp.Header.Get("Allow"))
			}
			if n := len(b.upstreamBodies()); n > 0 {
				t.Errorf("the provider was asked %d times", n)
			}
		})
	}
}

// toldBy is the message of an error and the field that it names, by the format
// that conf has for clients.
func toldBy(t *testing.T, conf, body string) (message, param string) {
	t.Helper()
	var e struct {
		Type, Message string
		Error         struct{ Message, Type, Param, Status string }
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	ok := e.Error.Type != "" && e.Type == ""
	switch {
	case strings.Contains(conf, `"llm_format":"anthropic"`):
		ok = e.Type == "error" && e.Error.Type != ""
	case strings.Contains(conf, `"llm_format":"gemini"`):
		ok = e.Error.Status != ""
	case strings.Contains(conf, `"llm_format":"bedrock"`):
		return e.Message, ""
	}
	if !ok {
		t.Errorf("not in the client's format: %s", body)
	}
	return e.Error.Message, e.Error.Param
}

// Kong has taken the route's own path off; what is left says what the client wants.
func TestPathThatNoTargetServesIsNamedInTheError(t *testing.T) {
	two := mixed(chatRoute, "llm/v1/embeddings")
	for _, c := range []struct {
		name, conf, route, rest, body string
		status                        int
	}{
		{"another operation", chatConf, "/ai", "/v1/embeddings", `{"input":"x"}`, 404},
		{"its own", chatConf, "/ai", "/v1/chat/completions", hello, 200},
		{"nothing more", chatConf, "/ai", "/", hello, 200},
		{"something of the route's", chatConf, "/ai", "/team-a", hello, 200},
		{"a route that is called like an operation", chatConf, "/embeddings", "/", hello, 200},
		{"of two, neither", two, "/ai", "/v1/moderations", `{"x":1}`, 404},
		{"an API of another format", chatConf, "/ai", "/v1/messages", hello, 404},
		{"nothing that any API has", chatConf, "/ai", "/v1/nonsense", hello, 404},
		{"nothing that is read", chatConf, "/ai", "/api/tags", "", 404},
		{"its base with a version", chatConf, "/ai", "/v1", hello, 200},
		{"an API of another format, for two", two, "/ai", "/models/m:generateContent", hello, 404},
		{"of two, neither, by GET", two, "/ai", "/v1/moderations", "", 404},
		{"of two, the body tells", two, "/ai", "/team-a", hello, 200},
		{"another part of the API", confFor("llm/v1/responses"), "/ai", "/models", "", 404},
		{"another part of the API, with its version", confFor("llm/v1/responses"), "/ai", "/v1/moderations", "", 404},
		{"the list of models", chatConf, "/ai", "/v1/models", "", 200},
		{"an id", confFor("llm/v1/responses"), "/ai", "/resp_1", "", 200},
		{"preserve takes any", confFor("preserve"), "/ai", "/v1/embeddings", `{"input":"x"}`, 200},
	} {
		b := newBench(t, c.conf, answer).elsewhere()
		status, rec := b.serve(b.instance, c.body, func(in *wire.Inbound) {
			in.Path, in.Kong.Path = c.rest, c.route+strings.TrimSuffix(c.rest, "/")
			if c.body == "" {
				in.Method, in.Body, in.ContentLength = "GET", nil, 0
			}
		})
		if status != c.status || status == 404 && !strings.Contains(rec.Data().Message, "/chat/completions") && !strings.Contains(rec.Data().Message, "/responses/{id}") {
			t.Errorf("%s: %d %s", c.name, status, rec.Data().Message)
		}
	}
}

func TestMoreThanOneContentTypeIsRefused(t *testing.T) {
	b := newBench(t, chatConf, answer)
	req, _ := http.NewRequest("POST", b.front.URL+"/chat", strings.NewReader(hello))
	req.Header["Content-Type"] = []string{asJSON, formType}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 400 || !strings.Contains(string(body), "content-type: is there more than once") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestModelsWithControlCharactersAreRefused(t *testing.T) {
	free := routeConf(chatRoute, "openai", "", "")
	for _, model := range []string{`a\u0000b`, `a\r\nX-Evil: 1`, `a\u007f`, ` a`, `a\n`} {
		b := newBench(t, free, answer).elsewhere()
		resp, body := b.post(`{"model":"` + model + `","messages":[{"role":"user","content":"x"}]}`)
		if resp.StatusCode != 400 || !strings.Contains(body, `"param":"model"`) || resp.Header.Get("X-Kong-LLM-Model") != "" || resp.Header.Get("X-Evil") != "" {
			t.Errorf("%q: %d %s %v", model, resp.StatusCode, body, resp.Header)
		}
	}
	// preserve passes what it is sent; only the header is left out.
	b := newBench(t, routeConf("preserve", "openai", "", `"upstream_url":"$UP"`), answer)
	resp, body := b.post(`{"model":"a\u0000b\u0007"}`)
	if resp.StatusCode != 200 || resp.Header["X-Kong-Llm-Model"] != nil {
		t.Errorf("%d %s %v", resp.StatusCode, body, resp.Header)
	}
	if resp, _ := b.post(`{"model":"a-b"}`); resp.Header.Get("X-Kong-LLM-Model") != "openai/a-b" {
		t.Errorf("%v", resp.Header)
	}
}

func TestBodyLimitAppliesToForwardedBodies(t *testing.T) {
	transcriptions := func(limit string) string {
		return strings.Replace(routeConf("audio/v1/audio/transcriptions", "openai", "m", `"upstream_url":"$UP"`), "{", "{"+limit, 1)
	}
	pieces := func(limit string) string {
		return `{"llm_format":"gemini",` + limit + `"route_type":"llm/v1/chat","auth":{"header_name":"x-goog-api-key","header_value":"CANARY-KEY"},"model":{"provider":"gemini"}}`
	}
	form := func(n int) string {
		return formOf("model=m", "file@="+strings.Repeat("x", n-len(formOf("model=m", "file@="))))
	}
	const chosen, unbounded = `"max_request_body_size":1000,`, `"max_request_body_size":0,`
	for _, c := range []struct {
		name, conf, path, media, body string
		zip, chunked                  bool
		status                        int
	}{
		{"within", transcriptions(chosen), "/t", formType, form(1000), false, false, 200},
		{"over", transcriptions(chosen), "/t", formType, form(1001), false, false, 413},
		{"within, of unknown length", transcriptions(chosen), "/t", formType, form(1000), false, true, 200},
		{"over, of unknown length", transcriptions(chosen), "/t", formType, form(1001), false, true, 413},
		{"far over, of unknown length", transcriptions(chosen), "/t", formType, form(500_000), false, true, 413},
		{"within when inflated", transcriptions(chosen), "/t", formType, form(1000), true, false, 200},
		{"over when inflated", transcriptions(chosen), "/t", formType, form(1001), true, false, 413},
		{"the default is not for uploads", transcriptions(""), "/t", formType, form(defaultLimit + 1), false, true, 200},
		{"but for what inflates", transcriptions(""), "/t", formType, form(defaultLimit + 1), true, true, 413},
		{"within the default when inflated", transcriptions(""), "/t", formType, form(defaultLimit), true, false, 200},
		{"no limit", transcriptions(unbounded), "/t", formType, form(3 << 20), true, true, 200},
		{"a piece of an upload", pieces(chosen), "/upload/v1beta/files?upload_id=1", "", strings.Repeat("x", 1000), false, true, 200},
		{"a piece of an upload over it", pieces(chosen), "/upload/v1beta/files?upload_id=1", "", strings.Repeat("x", 1001), false, true, 413},
		{"a large piece", pieces(""), "/upload/v1beta/files?upload_id=1", "", strings.Repeat("x", defaultLimit+1), false, false, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, c.conf, answering(`{"text":"hi"}`)).elsewhere()
			body := c.body
			if c.zip {
				body = gzipped(body)
			}
			var r io.Reader = strings.NewReader(body)
			if c.chunked {
				r = io.MultiReader(r)
			}
			req, _ := http.NewRequest("POST", b.front.URL+c.path, r)
			if c.media != "" {
				req.Header.Set("Content-Type", c.media)
			}
			if c.zip {
				req.Header.Set("Content-Encoding", "gzip")
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			said, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != c.status || c.status == 413 && !strings.Contains(string(said), "max_request_body_size") {
				t.Errorf("%d %s", resp.StatusCode, said)
			}
			if rec := b.record(); c.status == 413 && strings.HasPrefix(c.path, "/t") && at(rec, "meta.outcome") != "refused" {
				t.Errorf("record %v", rec)
			}
		})
	}
}

func TestDefaultLimitIsTheSchemas(t *testing.T) {
	if b := newBench(t, chatConf, answer); b.instance.config.MaxRequestBodySize != defaultLimit {
		t.Errorf("%d", b.instance.config.MaxRequestBodySize)
	}
}

func TestCorruptGzipOfAFormIsReportedAsSuch(t *testing.T) {
	b := newBench(t, routeConf("audio/v1/audio/transcriptions", "openai", "m", `"upstream_url":"$UP"`), answering(`{}`))
	whole := gzipped(formOf("model=m", "file@="+strings.Repeat("xyz", 50_000)))
	resp, body := b.send("POST", "/t", formType, whole[:len(whole)-20], "Content-Encoding", "gzip")
	if resp.StatusCode != 400 || !strings.Contains(body, "not valid gzip") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestKeyInTheBodyIsRefusedWhereThereIsNoJSON(t *testing.T) {
	key := `"auth":{"param_name":"key","param_value":"CANARY-KEY","param_location":"body"}`
	conf := func(route string) string {
		return `{"route_type":"` + route + `",` + key + `,"model":{"provider":"openai","name":"m"}}`
	}
	for route, works := range map[string]bool{
		chatRoute: true, "llm/v1/completions": true, "llm/v1/embeddings": true, "audio/v1/audio/speech": true, "image/v1/images/generations": true,
		"llm/v1/files": false, "llm/v1/batches": false, "llm/v1/responses": false, "llm/v1/assistants": false, "audio/v1/audio/transcriptions": false,
		"audio/v1/audio/translations": false, "image/v1/images/edits": false, "video/v1/videos/generations": false, realtimeRoute: false,
	} {
		b := newBench(t, conf(route), answer)
		if broken := b.instance.broken; (broken == nil) != works || !works && !strings.Contains(broken.Message, "auth.param_location: body has no place in "+route) {
			t.Errorf("%s: %v", route, broken)
		}
	}
	// Of a native format it shows with the request only.
	b := newBench(t, `{"llm_format":"gemini","route_type":"llm/v1/chat",`+key+`,"model":{"provider":"gemini"}}`, answering(`{}`)).elsewhere()
	if resp, body := b.send("GET", "/v1beta/files/f1", "", ""); resp.StatusCode != 500 || !strings.Contains(body, "auth.param_location") || len(b.upstreamBodies()) > 0 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
