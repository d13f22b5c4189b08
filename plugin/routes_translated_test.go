package plugin

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

const onVertexOptions = `"gemini":{"api_endpoint":"us-central1-aiplatform.googleapis.com","project_id":"p","location_id":"l"}`

func TestImageEditFormBecomesJSONForTargetsWithoutForms(t *testing.T) {
	picture := "\x89PNG\r\n\x1a\n not much of a picture"
	form := formOf("model=gemini-2.5-flash-image", "prompt=a \"hat\" for 1", "n=1", "image[]@="+picture, "image[]@="+picture)
	b := newBench(t, routeConf("image/v1/images/edits", "gemini", "gemini-2.5-flash-image", onVertexOptions),
		answering(`{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":7,"totalTokenCount":12}}`)).elsewhere()
	resp, body := b.send("POST", "/edits", formType, form)
	if resp.StatusCode != 200 || at(decoded(t, body), "data.0.b64_json") != "AAAA" || resp.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	r, sent := b.asked()
	if r.URL.Path != "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-flash-image:generateContent" || r.Header.Get("Content-Type") != asJSON {
		t.Errorf("asked %s %s", r.URL, r.Header.Get("Content-Type"))
	}
	parts := at(decoded(t, sent), "contents.0.parts").([]any)
	if len(parts) != 3 || at(parts, "0.text") != `a "hat" for 1` || at(parts, "1.inlineData.mimeType") != "image/png" || at(parts, "2.inlineData.data") != base64.StdEncoding.EncodeToString([]byte(picture)) {
		t.Errorf("sent %s", sent)
	}
	if rec := b.record(); at(rec, "usage.total_tokens") != 12.0 {
		t.Errorf("record %v", rec)
	}
}

func decoded(t *testing.T, text string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

func TestEmbeddingTokensAreReadFromAHeader(t *testing.T) {
	conf := `{"route_type":"llm/v1/embeddings","auth":{"aws_access_key_id":"AKID","aws_secret_access_key":"s"},"logging":{"log_statistics":true},
	 "model":{"provider":"bedrock","name":"cohere.embed-english-v3","options":{"bedrock":{"aws_region":"us-east-1"}}}}`
	b := newBench(t, conf, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amzn-Bedrock-Input-Token-Count", "4")
		answering(`{"embeddings":[[0.5],[0.25]]}`)(w, r)
	}).elsewhere()
	resp, body := b.post(`{"input":["a","b"]}`)
	if resp.StatusCode != 200 || at(decoded(t, body), "usage.prompt_tokens") != 4.0 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if rec := b.record(); at(rec, "usage.prompt_tokens") != 4.0 || at(rec, "usage.completion_tokens") != 0.0 {
		t.Errorf("record %v", rec)
	}
}

// The same form can go to a provider that takes it, and to one that does not.
func TestFormIsHeldForTargetsOfBothKinds(t *testing.T) {
	target := func(provider, model, options string, weight int) string {
		return `{"weight":` + string(rune('0'+weight)) + `,"route_type":"image/v1/images/edits","model":{"provider":"` + provider + `","name":"` + model + `","model_alias":"painter","options":{` + options + `}},"auth":{}}`
	}
	conf := `{"balancer":{"algorithm":"priority","failover_criteria":["http_500","non_idempotent"]},"targets":[` + target("openai", "gpt-image-1", "", 9) + `,` + target("gemini", "g-image", onVertexOptions, 1) + `]}`
	form := func(model string) string { return formOf("model="+model, "prompt=a hat", "image@=\x89PNG\r\n\x1a\n") }
	b := newBench(t, conf, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", asJSON)
		if strings.HasPrefix(r.URL.Path, "/v1/images") {
			w.WriteHeader(500)
			return
		}
		io.WriteString(w, `{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}}]}`)
	}).elsewhere()
	resp, body := b.send("POST", "/edits", formType, form("painter"))
	if resp.StatusCode != 200 || !strings.Contains(body, "AAAA") {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	if bodies := b.upstreamBodies(); len(bodies) != 2 || bodies[0] != form("gpt-image-1") || !strings.Contains(bodies[1], `"inlineData"`) {
		t.Errorf("sent %q", bodies)
	}
}

func TestTranslatedFormIsBounded(t *testing.T) {
	conf := strings.Replace(routeConf("image/v1/images/edits", "gemini", "m", onVertexOptions), `{"route_type"`, `{"max_request_body_size":1000,"route_type"`, 1)
	b := newBench(t, conf, answering(`{}`)).elsewhere()
	if resp, body := b.send("POST", "/edits", formType, formOf("prompt=x", "image@="+strings.Repeat("x", 2000))); resp.StatusCode != 413 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, body := b.send("POST", "/edits", formType, formOf("prompt=x")[:50]); resp.StatusCode != 400 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestEmbeddingsOfOtherProvidersComeInBase64WhenAskedFor(t *testing.T) {
	b := newBench(t, routeConf("llm/v1/embeddings", "gemini", "text-embedding-004", ""), answering(`{"embeddings":[{"values":[1,0.5]}]}`)).elsewhere()
	_, body := b.send("POST", "/e", asJSON, `{"input":"two words","encoding_format":"base64"}`)
	v := decoded(t, body)
	if at(v, "data.0.embedding") != base64.StdEncoding.EncodeToString([]byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0x3f}) {
		t.Errorf("%s", body)
	}
	if rec := b.record(); at(rec, "usage.prompt_tokens") != 2.0 {
		t.Errorf("record %v", rec)
	}
}

func TestTaskIsPolledUntilItIsDone(t *testing.T) {
	polls := 0
	b := newBench(t, routeConf("image/v1/images/edits", "dashscope", "wanx2.1-imageedit", ""), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", asJSON)
		status := `"task_status":"RUNNING"`
		if r.Method == "GET" {
			if polls++; polls == 3 {
				status = `"task_status":"SUCCEEDED","results":[{"url":"https://x/1.png"}]`
			}
		} else if r.Header.Get("X-Dashscope-Async") != "enable" {
			t.Error("the task is not asynchronous")
		}
		io.WriteString(w, `{"output":{"task_id":"t-1",`+status+`}}`)
	}).elsewhere()
	b.relay.pause = time.Millisecond
	resp, body := b.send("POST", "/edits", asJSON, `{"prompt":"a hat","image":"https://x/0.png"}`)
	if resp.StatusCode != 200 || at(decoded(t, body), "data.0.url") != "https://x/1.png" || polls != 3 {
		t.Errorf("%d %s after %d", resp.StatusCode, body, polls)
	}
	if r, _ := b.asked(); r.URL.Path != "/api/v1/tasks/t-1" || r.Header.Get("Authorization") != "Bearer CANARY-KEY" || r.Header.Get("X-Dashscope-Async") != "" || r.ContentLength > 0 {
		t.Errorf("asked %s %v", r.URL, r.Header)
	}
	if rec := b.record(); at(rec, "meta.outcome") != "completed" {
		t.Errorf("record %v", rec)
	}
}

func TestVideoIsCreatedPolledAndFetched(t *testing.T) {
	film := strings.Repeat("\x00film", 50_000)
	b := newBench(t, routeConf("video/v1/videos/generations", "gemini", "veo-3.1", ""), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", asJSON)
		switch r.Method + " " + r.URL.Path {
		case "POST /v1beta/models/veo-3.1:predictLongRunning":
			io.WriteString(w, `{"name":"models/veo-3.1/operations/op1"}`)
		case "GET /v1beta/models/veo-3.1/operations/op1":
			io.WriteString(w, `{"done":true,"response":{"generateVideoResponse":{"generatedSamples":[{"video":{"uri":"https://generativelanguage.googleapis.com/v1beta/files/f1:download?alt=media"}}]}}}`)
		case "GET /v1beta/files/f1:download":
			w.Header().Set("Content-Type", "video/mp4")
			w.Header().Set("Content-Length", "250000")
			io.WriteString(w, film)
		default:
			w.WriteHeader(404)
		}
	}).elsewhere()
	_, body := b.send("POST", "/videos", asJSON, `{"prompt":"a cat"}`)
	id, _ := at(decoded(t, body), "id").(string)
	b.record()
	_, body = b.send("GET", "/videos/"+id, "", "")
	if at(decoded(t, body), "status") != "completed" {
		t.Errorf("%s", body)
	}
	b.record()
	resp, body := b.send("GET", "/videos/"+id+"/content", "", "")
	if body != film || resp.Header.Get("Content-Type") != "video/mp4" || resp.ContentLength != int64(len(film)) {
		t.Errorf("%d bytes of %s", len(body), resp.Header.Get("Content-Type"))
	}
	rec := b.record()
	if at(rec, "tried_targets.1.upstream_uri") != "/v1beta/files/f1:download" || at(rec, "meta.outcome") != "completed" {
		t.Errorf("record %v", rec)
	}
	if resp, body := b.send("GET", "/videos/video_x", "", ""); resp.StatusCode != 400 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestClaudeBatchIsCreatedInOpenAIsFormat(t *testing.T) {
	b := newBench(t, routeConf("llm/v1/batches", "anthropic", "claude-sonnet-4-5", `"anthropic_version":"2023-06-01"`),
		answering(`{"id":"msgbatch_1","type":"message_batch","processing_status":"in_progress","request_counts":{"processing":1},"created_at":"2025-01-01T00:00:00Z"}`)).elsewhere()
	line := `{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"x","messages":[{"role":"user","content":"hi"}]}}`
	file := "data:application/jsonl;base64," + base64.StdEncoding.EncodeToString([]byte(line+"\n"))
	resp, body := b.send("POST", "/batches", asJSON, `{"input_file_id":"`+file+`","endpoint":"/v1/chat/completions","completion_window":"24h"}`)
	if resp.StatusCode != 200 || at(decoded(t, body), "status") != "in_progress" {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	r, sent := b.asked()
	if r.URL.Path != "/v1/messages/batches" || r.Header.Get("Anthropic-Version") == "" || at(decoded(t, sent), "requests.0.params.messages.0.content") != "hi" {
		t.Errorf("asked %s %s", r.URL, sent)
	}
}

func TestErrorsOfOtherProvidersRoutesComeInOpenAIsShape(t *testing.T) {
	b := newBench(t, routeConf("video/v1/videos/generations", "gemini", "veo", ""), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", asJSON)
		w.WriteHeader(429)
		io.WriteString(w, `{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED"}}`)
	}).elsewhere()
	resp, body := b.send("POST", "/videos", asJSON, `{"prompt":"a cat"}`)
	if v := decoded(t, body); resp.StatusCode != 429 || at(v, "error.message") != "slow down" || at(v, "error.type") != "rate_limit_error" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestLiveSessionOfGeminiNamesTheConfiguredModel(t *testing.T) {
	conf := strings.Replace(routeConf(realtimeRoute, "gemini", "gemini-live", ""), `{"route_type"`, `{"llm_format":"gemini","route_type"`, 1)
	server := socketServer(echo)
	b := newBench(t, conf, server).elsewhere()
	const path = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
	dial := func() *talk {
		conn, resp, err := websocket.Dial(t.Context(), b.front.URL+path+"?key=CLIENT-SECRET", nil)
		if err != nil {
			t.Fatal(err, resp)
		}
		t.Cleanup(func() { conn.CloseNow() })
		return &talk{b, conn, t.Context()}
	}
	k := dial()
	k.say(`{"setup":{"model":"models/gemini-live","generationConfig":{}}}`)
	k.hear(`{"setup":{"model":"models/gemini-live","generationConfig":{}}}`)
	usage := `{"serverContent":{"turnComplete":true},"usageMetadata":{"promptTokenCount":10,"responseTokenCount":5,"thoughtsTokenCount":2,"totalTokenCount":17,"responseTokensDetails":[{"modality":"AUDIO","tokenCount":5}]}}`
	k.conn.Write(k.ctx, websocket.MessageBinary, []byte(usage))
	k.hear(usage)
	k.conn.Close(websocket.StatusNormalClosure, "")
	if r, _ := b.asked(); r.URL.Path != path || strings.Contains(r.URL.RawQuery, "CLIENT") {
		t.Errorf("asked %s", r.URL)
	}
	rec := b.record()
	if at(rec, "usage.output_tokens") != 7.0 || at(rec, "usage.total_tokens") != 17.0 || at(rec, "usage.output_tokens_details.reasoning_tokens") != 2.0 || at(rec, "meta.request_mode") != "realtime" {
		t.Errorf("record %v", rec)
	}
	k = dial()
	k.say(`{"setup":{"model":"models/another"}}`)
	if code, reason := k.closing(); code != websocket.StatusPolicyViolation || !strings.Contains(reason, "cannot use own model") {
		t.Errorf("%d %q", code, reason)
	}
	if rec := b.record(); at(rec, "meta.outcome") != "refused" {
		t.Errorf("record %v", rec)
	}
}
