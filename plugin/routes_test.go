package plugin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/engine/enginetest"
)

// routeConf is a configuration of a route type; more is put in the model's options.
func routeConf(route, provider, model, more string) string {
	name := ""
	if model != "" {
		name = `"name":"` + model + `",`
	}
	return `{"route_type":"` + route + `","auth":{"header_name":"Authorization","header_value":"Bearer CANARY-KEY"},"logging":{"log_statistics":true},
	 "model":{"provider":"` + provider + `",` + name + `"options":{` + more + `}}}`
}

// elsewhere sends what is meant for a provider to the bench's double, path and all.
func (b *bench) elsewhere() *bench {
	u, _ := url.Parse(b.up.URL)
	b.relay.Redirect(u)
	return b
}

func (b *bench) send(method, path, contentType, body string, headers ...string) (*http.Response, string) {
	b.t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, b.front.URL+path, r)
	if err != nil {
		b.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	out, _ := io.ReadAll(resp.Body)
	return resp, string(out)
}

// asked is what the provider's double was asked last.
func (b *bench) asked() (*http.Request, string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.seen) == 0 {
		b.t.Fatal("the provider was asked nothing")
	}
	return b.seen[len(b.seen)-1], b.bodies[len(b.bodies)-1]
}

func answering(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, body)
	}
}

const asJSON = "application/json"

func TestRestOperationsKeepMethodPathAndBytes(t *testing.T) {
	azure := `"azure_instance":"inst","azure_deployment_id":"dep","azure_api_version":"2025-01-01-preview"`
	for _, c := range []struct {
		route, provider, options, method, client, want string
	}{
		{"llm/v1/files", "openai", "", "GET", "/ai/files", "/v1/files"},
		{"llm/v1/files", "openai", "", "GET", "/files?purpose=batch&limit=2", "/v1/files?purpose=batch&limit=2"},
		{"llm/v1/files", "openai", "", "GET", "/v1/files/file-abc", "/v1/files/file-abc"},
		{"llm/v1/files", "openai", "", "DELETE", "/v1/files/file-abc", "/v1/files/file-abc"},
		{"llm/v1/files", "openai", "", "GET", "/files/file-abc/content", "/v1/files/file-abc/content"},
		{"llm/v1/files", "azure", azure, "GET", "/files/file-abc", "/openai/files/file-abc?api-version=2025-01-01-preview"},
		{"llm/v1/batches", "openai", "", "GET", "/batches", "/v1/batches"},
		{"llm/v1/batches", "openai", "", "GET", "/batches/batch_1", "/v1/batches/batch_1"},
		{"llm/v1/batches", "openai", "", "POST", "/batches/batch_1/cancel", "/v1/batches/batch_1/cancel"},
		{"llm/v1/batches", "azure", azure, "GET", "/batches/batch_1?api-version=2024-10-21", "/openai/batches/batch_1?api-version=2024-10-21"},
		{"llm/v1/assistants", "openai", "", "GET", "/assistants/asst_1", "/v1/assistants/asst_1"},
		{"llm/v1/assistants", "openai", "", "DELETE", "/assistants/asst_1", "/v1/assistants/asst_1"},
		{"llm/v1/assistants", "openai", "", "GET", "/v1/threads/thread_1/messages", "/v1/threads/thread_1/messages"},
		{"llm/v1/assistants", "openai", "", "GET", "/assistants/threads/thread_1/runs/run_1/steps/step_1", "/v1/threads/thread_1/runs/run_1/steps/step_1"},
		{"llm/v1/assistants", "openai", `"upstream_url":"$UP/x/v1/assistants/"`, "GET", "/threads/thread_1/runs", "/x/v1/threads/thread_1/runs"},
		{"llm/v1/assistants", "openai", `"upstream_url":"$UP/x/v1/assistants"`, "GET", "/assistants/asst_1", "/x/v1/assistants/asst_1"},
		{"llm/v1/assistants", "openai", `"upstream_url":"$UP/own"`, "GET", "/threads/thread_1", "/own/thread_1"},
		{"llm/v1/assistants", "azure", azure, "GET", "/threads/thread_1", "/openai/threads/thread_1?api-version=2025-01-01-preview"},
		{"llm/v1/conversations", "openai", "", "GET", "/v1/conversations/conv_1/items", "/v1/conversations/conv_1/items"},
		{"llm/v1/conversations", "azure", azure, "DELETE", "/conversations/conv_1", "/openai/v1/conversations/conv_1"},
		{"llm/v1/vector_stores", "openai", "", "GET", "/vector_stores/vs_1/files/file-1/content", "/v1/vector_stores/vs_1/files/file-1/content"},
		{"llm/v1/vector_stores", "azure", azure, "GET", "/vector_stores/vs_1", "/openai/vector_stores/vs_1?api-version=2025-01-01-preview"},
		{"llm/v1/containers", "openai", "", "GET", "/containers/cntr_1/files?limit=2", "/v1/containers/cntr_1/files?limit=2"},
		{"llm/v1/skills", "openai", "", "GET", "/skills/skill_1/versions/2/content", "/v1/skills/skill_1/versions/2/content"},
		{"llm/v1/responses", "openai", "", "GET", "/responses/resp_1", "/v1/responses/resp_1"},
		{"llm/v1/responses", "openai", "", "DELETE", "/responses/resp_1", "/v1/responses/resp_1"},
		{"llm/v1/responses", "openai", "", "POST", "/responses/resp_1/cancel", "/v1/responses/resp_1/cancel"},
		{"llm/v1/responses", "openai", "", "GET", "/responses/resp_1/input_items?limit=1", "/v1/responses/resp_1/input_items?limit=1"},
		{"llm/v1/responses", "azure", `"azure_instance":"i","azure_deployment_id":"d","azure_api_version":"preview"`, "GET", "/responses/resp_1", "/openai/v1/responses/resp_1?api-version=preview"},
		{"video/v1/videos/generations", "openai", "", "GET", "/videos/video_1", "/v1/videos/video_1"},
		{"video/v1/videos/generations", "openai", "", "DELETE", "/videos/video_1", "/v1/videos/video_1"},
		{"video/v1/videos/generations", "huggingface", "", "GET", "/videos/video_1", "/v1/videos/video_1"},
	} {
		t.Run(c.provider+" "+c.method+" "+c.client, func(t *testing.T) {
			answer := `{"id":"x", "object" : "thing"}`
			b := newBench(t, routeConf(c.route, c.provider, "", c.options), answering(answer)).elsewhere()
			resp, body := b.send(c.method, c.client, "", "", "OpenAI-Beta", "assistants=v2")
			if resp.StatusCode != 200 || body != answer {
				t.Fatalf("%d %s", resp.StatusCode, body)
			}
			r, sent := b.asked()
			if r.Method != c.method || r.URL.RequestURI() != c.want || sent != "" || (r.Header.Get("OpenAI-Beta") == "assistants=v2") != (c.provider != "huggingface") {
				t.Errorf("asked %s %s %q %v", r.Method, r.URL.RequestURI(), sent, r.Header)
			}
			if rec := b.record(); at(rec, "meta.outcome") != "completed" {
				t.Errorf("record %v", rec)
			}
		})
	}
}

func TestCreationsOfEveryRouteReachTheirPath(t *testing.T) {
	azure := `"azure_instance":"inst","azure_deployment_id":"dep","azure_api_version":"2025-01-01-preview"`
	form := formOf("model=m-1", "prompt=a cat", "file@=\x00\x01sound")
	for _, c := range []struct {
		route, provider, options, path, contentType, body string
		want, wantBody                                    string
	}{
		{"llm/v1/files", "openai", "", "/files", formType, formOf("purpose=batch", "file@={}"), "/v1/files", formOf("purpose=batch", "file@={}")},
		{"llm/v1/files", "azure", azure, "/files", formType, formOf("purpose=batch", "file@={}"), "/openai/files?api-version=2025-01-01-preview", formOf("purpose=batch", "file@={}")},
		{"llm/v1/batches", "openai", "", "/batches", asJSON, `{"input_file_id":"file-1","endpoint":"/v1/chat/completions"}`, "/v1/batches", `{"input_file_id":"file-1","endpoint":"/v1/chat/completions"}`},
		{"llm/v1/batches", "azure", azure, "/batches", asJSON, `{"input_file_id":"file-1"}`, "/openai/batches?api-version=2025-01-01-preview", `{"input_file_id":"file-1"}`},
		{"llm/v1/conversations", "openai", "", "/conversations", asJSON, `{"items":[]}`, "/v1/conversations", `{"items":[]}`},
		{"llm/v1/moderations", "openai", "", "/moderations", asJSON, `{"input":"hi"}`, "/v1/moderations", `{"input":"hi"}`},
		{"llm/v1/moderations", "mistral", `"mistral_format":"openai"`, "/moderations", asJSON, `{"input":"hi"}`, "/v1/moderations", `{"input":"hi"}`},
		{"llm/v1/vector_stores", "openai", "", "/vector_stores/vs_1/search", asJSON, `{"query":"x"}`, "/v1/vector_stores/vs_1/search", `{"query":"x"}`},
		{"llm/v1/uploads", "openai", "", "/uploads/upload_1/parts", formType, formOf("data@={}"), "/v1/uploads/upload_1/parts", formOf("data@={}")},
		{"llm/v1/skills", "openai", "", "/skills", formType, formOf("files@={}"), "/v1/skills", formOf("files@={}")},
		{"llm/v1/assistants", "openai", "", "/assistants", asJSON, `{"name":"x"}`, "/v1/assistants", `{"name":"x","model":"m-1"}`},
		{"llm/v1/assistants", "openai", "", "/threads", asJSON, `{"messages":[]}`, "/v1/threads", `{"messages":[]}`},
		{"llm/v1/assistants", "openai", "", "/threads/thread_1/runs", asJSON, `{"assistant_id":"asst_1"}`, "/v1/threads/thread_1/runs", `{"assistant_id":"asst_1"}`},
		{"audio/v1/audio/speech", "openai", "", "/speech", asJSON, `{"input":"hi","voice":"alloy"}`, "/v1/audio/speech", `{"input":"hi","voice":"alloy","model":"m-1"}`},
		{"audio/v1/audio/speech", "azure", azure, "/speech", asJSON, `{"input":"hi"}`, "/openai/deployments/dep/audio/speech?api-version=2025-01-01-preview", `{"input":"hi","model":"m-1"}`},
		{"audio/v1/audio/transcriptions", "openai", "", "/transcriptions", formType, form, "/v1/audio/transcriptions", form},
		{"audio/v1/audio/translations", "openai", "", "/translations", formType, form, "/v1/audio/translations", form},
		{"audio/v1/audio/transcriptions", "azure", azure, "/t", formType, form, "/openai/deployments/dep/audio/transcriptions?api-version=2025-01-01-preview", form},
		{"image/v1/images/generations", "openai", "", "/images", asJSON, `{"prompt":"a cat"}`, "/v1/images/generations", `{"prompt":"a cat","model":"m-1"}`},
		{"image/v1/images/generations", "xai", "", "/images", asJSON, `{"prompt":"a cat"}`, "/v1/images/generations", `{"prompt":"a cat","model":"m-1"}`},
		{"image/v1/images/generations", "azure", azure, "/images", asJSON, `{"prompt":"a cat"}`, "/openai/deployments/dep/images/generations?api-version=2025-01-01-preview", `{"prompt":"a cat","model":"m-1"}`},
		{"image/v1/images/edits", "openai", "", "/edits", formType, form, "/v1/images/edits", form},
		{"image/v1/images/edits", "openai", "", "/edits", asJSON, `{"prompt":"a cat","images":[{"file_id":"f"}]}`, "/v1/images/edits", `{"prompt":"a cat","images":[{"file_id":"f"}],"model":"m-1"}`},
		{"video/v1/videos/generations", "openai", "", "/videos", asJSON, `{"prompt":"a cat","seconds":"4"}`, "/v1/videos", `{"prompt":"a cat","seconds":"4","model":"m-1"}`},
		{"video/v1/videos/generations", "openai", "", "/v", formType, form, "/v1/videos", form},
	} {
		t.Run(c.provider+" "+c.route+" "+c.path, func(t *testing.T) {
			b := newBench(t, routeConf(c.route, c.provider, "m-1", c.options), answering(`{"id":"x","usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7}}`)).elsewhere()
			resp, body := b.send("POST", c.path, c.contentType, c.body)
			if resp.StatusCode != 200 {
				t.Fatalf("%d %s", resp.StatusCode, body)
			}
			r, sent := b.asked()
			if r.URL.RequestURI() != c.want || sent != c.wantBody || r.Header.Get("Content-Type") != c.contentType {
				t.Errorf("asked %s %s\n got %q\nwant %q", r.URL.RequestURI(), r.Header.Get("Content-Type"), sent, c.wantBody)
			}
			if r.ContentLength != int64(len(c.wantBody)) {
				t.Errorf("content length %d for %d bytes", r.ContentLength, len(c.wantBody))
			}
			rec := b.record()
			if at(rec, "usage.total_tokens") != 7.0 || at(rec, "meta.outcome") != "completed" {
				t.Errorf("record %v", rec)
			}
		})
	}
}

// A route's path may be anything, and Kong may strip it or not.
func TestSubPathsAreFoundUnderAnyRoutePath(t *testing.T) {
	for _, c := range []struct{ route, kong, forwarded, want string }{
		{"llm/v1/files", "/files/file-1", "/file-1", "/v1/files/file-1"},
		{"llm/v1/files", "/files", "/", "/v1/files"},
		{"llm/v1/files", "/my/uploads/file-1/content", "/file-1/content", "/v1/files/file-1/content"},
		{"llm/v1/files", "/my/uploads/file-1/content", "/my/uploads/file-1/content", "/v1/files/file-1/content"},
		{"llm/v1/files", "/my/uploads", "/my/uploads", "/v1/files"},
		{"llm/v1/files", "/files/v1/files/file-1", "/v1/files/file-1", "/v1/files/file-1"},
		{"llm/v1/batches", "/queue/batch_7", "/queue/batch_7", "/v1/batches/batch_7"},
		{"llm/v1/assistants", "/helpers/thread_1/messages", "/helpers/thread_1/messages", "/v1/threads/thread_1/messages"},
		{"llm/v1/responses", "/ask/resp_1", "/ask/resp_1", "/v1/responses/resp_1"},
		{"llm/v1/responses", "/", "/", ""},
	} {
		b := newBench(t, routeConf(c.route, "openai", "", ""), answering(`{}`)).elsewhere()
		front := enginetest.NewServer(engine.HandlerFunc(func(x *engine.Exchange) {
			in := x.Inbound()
			in.Path, in.Kong.Path = c.forwarded, c.kong
			b.records <- b.relay.Serve(x.Context(), b.instance, &in, x, nil)
		}))
		resp, err := http.Get(front.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		front.Close()
		if c.want == "" {
			if resp.StatusCode != 405 {
				t.Errorf("%s: %d %s", c.kong, resp.StatusCode, body)
			}
			continue
		}
		if resp.StatusCode != 200 {
			t.Errorf("%s: %d %s", c.kong, resp.StatusCode, body)
			continue
		}
		if r, _ := b.asked(); r.URL.Path != c.want {
			t.Errorf("%s forwarded as %s: asked %s, want %s", c.kong, c.forwarded, r.URL.Path, c.want)
		}
	}
}

func TestWrongRequestsOfEveryRouteAreRefusedInOpenAIsShape(t *testing.T) {
	form := formOf("purpose=batch")
	for _, c := range []struct {
		name, route, method, path, contentType, body string
		status                                       int
		want                                         string
	}{
		{"traversal", "llm/v1/batches", "GET", "/batches/..%2f..%2fx", "", "", 400, "can stand in a path"},
		{"double escape", "llm/v1/batches", "GET", "/batches/..%252fx", "", "", 400, "can stand in a path"},
		{"percent", "llm/v1/files", "GET", "/files/a%25b", "", "", 400, "can stand in a path"},
		{"hash", "llm/v1/files", "GET", "/files/a%23b", "", "", 400, "can stand in a path"},
		{"backslash", "llm/v1/files", "GET", "/files/a%5cb", "", "", 400, "can stand in a path"},
		{"space", "llm/v1/files", "GET", "/files/a%20b", "", "", 400, "can stand in a path"},
		{"delete", "llm/v1/files", "GET", "/files/a%7fb", "", "", 400, "can stand in a path"},
		{"a dot", "llm/v1/files", "GET", "/files/%2e", "", "", 400, "can stand in a path"},
		{"no id", "llm/v1/files", "GET", "/files//content", "", "", 400, "can stand in a path"},
		{"dots", "llm/v1/files", "GET", "/files/a..b", "", "", 400, "can stand in a path"},
		{"escaped slash", "llm/v1/files", "GET", "/files/a%2fb", "", "", 400, "can stand in a path"},
		{"query in an id", "llm/v1/files", "GET", "/files/a%3fb", "", "", 400, "can stand in a path"},
		{"line break", "llm/v1/responses", "GET", "/responses/a%0d%0ab", "", "", 400, "can stand in a path"},
		{"unknown sub-path", "llm/v1/files", "GET", "/files/file-1/share", "", "", 404, "unknown path"},
		{"unknown verb", "llm/v1/files", "PUT", "/files/file-1", "", "", 405, "PUT is not a method"},
		{"files as JSON", "llm/v1/files", "POST", "/files", asJSON, `{}`, 415, "multipart/form-data"},
		{"file missing", "llm/v1/files", "POST", "/files", formType, form, 400, "'file' is missing"},
		{"files without a body", "llm/v1/files", "POST", "/files", "", "", 415, "multipart/form-data"},
		{"batch without input", "llm/v1/batches", "POST", "/batches", asJSON, `{"endpoint":"/v1/x"}`, 400, "input_file_id"},
		{"batch as text", "llm/v1/batches", "POST", "/batches", "text/plain", `x`, 415, "send application/json"},
		{"speech without input", "audio/v1/audio/speech", "POST", "/speech", asJSON, `{"voice":"x"}`, 400, "input: is missing"},
		{"transcription as JSON", "audio/v1/audio/transcriptions", "POST", "/t", asJSON, `{"file":"x"}`, 415, "multipart/form-data"},
		{"transcription without boundary", "audio/v1/audio/transcriptions", "POST", "/t", "multipart/form-data", form, 400, "boundary"},
		{"transcription without a file", "audio/v1/audio/transcriptions", "POST", "/t", formType, formOf("model=m-1"), 400, "'file' is missing"},
		{"transcription with another model", "audio/v1/audio/transcriptions", "POST", "/t", formType, formOf("model=other", "file@=x"), 400, "own model"},
		{"model behind the file", "audio/v1/audio/transcriptions", "POST", "/t", formType, formOf("file@="+strings.Repeat("x", 100_000), "model=other"), 400, "cannot use own model - must be: m-1"},
		{"image without prompt", "image/v1/images/generations", "POST", "/i", asJSON, `{"n":1}`, 400, "prompt: is missing"},
		{"edit without prompt", "image/v1/images/edits", "POST", "/i", formType, formOf("image@=x"), 400, "'prompt' is missing"},
		{"edit as JSON without prompt", "image/v1/images/edits", "POST", "/i", asJSON, `{}`, 400, "prompt: is missing"},
		{"video without prompt", "video/v1/videos/generations", "POST", "/videos", asJSON, `{"seconds":4}`, 400, "prompt: is missing"},
		{"response without input", "llm/v1/responses", "POST", "/responses", asJSON, `{"model":"m-1"}`, 400, "input: is missing"},
		{"realtime without an upgrade", "realtime/v1/realtime", "GET", "/rt", "", "", 426, "WebSocket"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf := routeConf(c.route, "openai", "m-1", "")
			b := newBench(t, conf, answering(`{}`)).elsewhere()
			resp, body := b.send(c.method, c.path, c.contentType, c.body)
			var e struct {
				Error struct{ Message, Type string }
			}
			if err := json.Unmarshal([]byte(body), &e); err != nil || resp.StatusCode != c.status || !strings.Contains(e.Error.Message, c.want) || e.Error.Type == "" {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
			if rec := b.record(); at(rec, "meta.outcome") != "refused" {
				t.Errorf("record %v", rec)
			}
		})
	}
}

func TestModelAliasInAFormBecomesTheModel(t *testing.T) {
	conf := `{"targets":[{"route_type":"audio/v1/audio/transcriptions","model":{"provider":"openai","name":"whisper-1","model_alias":"ears","options":{"upstream_url":"$UP/v1/audio/transcriptions"}},"auth":{}}]}`
	b := newBench(t, conf, answering(`{"text":"hi"}`))
	file := strings.Repeat("\x00sound", 50_000)
	if resp, body := b.send("POST", "/t", formType, formOf("model=ears", "file@="+file)); resp.StatusCode != 200 {
		t.Fatal(resp.StatusCode, body)
	}
	r, sent := b.asked()
	if want := formOf("model=whisper-1", "file@="+file); sent != want || r.ContentLength != int64(len(want)) {
		t.Errorf("%d bytes of length %d, want %d", len(sent), r.ContentLength, len(want))
	}
}

func TestBinaryAnswersAreForwardedAsTheyArrive(t *testing.T) {
	sound := bytes.Repeat([]byte{0xff, 0xfb, 0x00, '\n'}, 100_000)
	next := make(chan struct{})
	b := newBench(t, routeConf("audio/v1/audio/speech", "openai", "tts-1", ""), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "audio/mpeg")
		w.Write(sound[:1000])
		w.(http.Flusher).Flush()
		<-next
		w.Write(sound[1000:])
	}).elsewhere()
	resp, err := http.Post(b.front.URL+"/speech", asJSON, strings.NewReader(`{"input":"hi"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	first := make([]byte, 1000)
	if _, err := io.ReadFull(resp.Body, first); err != nil { // before the provider goes on
		t.Fatal(err)
	}
	close(next)
	rest, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Equal(append(first, rest...), sound) || resp.Header.Get("Content-Type") != "audio/mpeg" {
		t.Errorf("%v, %d bytes, %s", err, len(rest)+1000, resp.Header.Get("Content-Type"))
	}
	if rec := b.record(); at(rec, "meta.outcome") != "completed" || at(rec, "meta.request_model") != "tts-1" {
		t.Errorf("record %v", rec)
	}
}

func TestBinaryAnswerThatIsCutOffDoesNotLookWhole(t *testing.T) {
	b := newBench(t, routeConf("audio/v1/audio/speech", "openai", "tts-1", ""), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "audio/mpeg")
		w.Write(make([]byte, 1000))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}).elsewhere()
	resp, err := http.Post(b.front.URL+"/speech", asJSON, strings.NewReader(`{"input":"hi"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("the client cannot tell")
	}
	if rec := b.record(); at(rec, "meta.outcome") != "upstream_cut" {
		t.Errorf("record %v", rec)
	}
}

func TestUsageOfAudioAndImageEventsIsRead(t *testing.T) {
	for _, c := range []struct{ route, contentType, body, last string }{
		{"audio/v1/audio/speech", asJSON, `{"input":"hi","stream_format":"sse"}`, `{"type":"speech.audio.done","usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7}}`},
		{"audio/v1/audio/transcriptions", formType, formOf("model=m-1", "stream=true", "file@=x"), `{"type":"transcript.text.done","text":"hi","usage":{"type":"tokens","input_tokens":3,"input_token_details":{"audio_tokens":2,"text_tokens":1},"output_tokens":4,"total_tokens":7}}`},
		{"image/v1/images/generations", asJSON, `{"prompt":"a cat","stream":true,"partial_images":1}`, `{"type":"image_generation.completed","b64_json":"AAAA","usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7,"input_tokens_details":{"text_tokens":3}}}`},
	} {
		t.Run(c.route, func(t *testing.T) {
			all := "event: first\ndata: {\"type\":\"first\",\"delta\":\"AAAA\"}\n\nevent: last\ndata: " + c.last + "\n\n"
			b := newBench(t, routeConf(c.route, "openai", "m-1", ""), func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				io.WriteString(w, all)
			}).elsewhere()
			resp, body := b.send("POST", "/x", c.contentType, c.body)
			if body != all || resp.Header.Get("Content-Type") != "text/event-stream" {
				t.Errorf("%s %q", resp.Header.Get("Content-Type"), body)
			}
			rec := b.record()
			if at(rec, "usage.total_tokens") != 7.0 || at(rec, "usage.input_tokens") != nil && at(rec, "usage.input_tokens") != 3.0 || at(rec, "meta.request_mode") != "stream" {
				t.Errorf("record %v", rec)
			}
		})
	}
}

func TestDeniedStreamsAreDeniedInForms(t *testing.T) {
	conf := strings.Replace(routeConf("audio/v1/audio/transcriptions", "openai", "m-1", ""), `{"route_type"`, `{"response_streaming":"deny","route_type"`, 1)
	for _, form := range []string{formOf("stream=true", "file@=x"), formOf("file@="+strings.Repeat("x", 100_000), "stream=true")} {
		b := newBench(t, conf, answering(`{}`)).elsewhere()
		if resp, body := b.send("POST", "/t", formType, form); resp.StatusCode != 400 || !strings.Contains(body, textNoStreaming) {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	}
}

func TestAssistantRunsStreamWithTheirUsage(t *testing.T) {
	events := "event: thread.run.created\ndata: {\"id\":\"run_1\",\"object\":\"thread.run\",\"model\":\"gpt-4o\",\"usage\":null}\n\n" +
		"event: thread.message.delta\ndata: {\"id\":\"msg_1\",\"delta\":{\"content\":[{\"index\":0,\"type\":\"text\",\"text\":{\"value\":\"hi\"}}]}}\n\n" +
		"event: thread.run.completed\ndata: {\"id\":\"run_1\",\"model\":\"gpt-4o\",\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":11,\"total_tokens\":31}}\n\n" +
		"event: done\ndata: [DONE]\n\n"
	b := newBench(t, routeConf("llm/v1/assistants", "openai", "", ""), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, events)
	}).elsewhere()
	_, body := b.send("POST", "/threads/thread_1/runs", asJSON, `{"assistant_id":"asst_1","stream":true}`)
	if body != events {
		t.Errorf("%q", body)
	}
	if _, sent := b.asked(); sent != `{"assistant_id":"asst_1","stream":true}` {
		t.Errorf("sent %s", sent)
	}
	if rec := b.record(); at(rec, "usage.total_tokens") != 31.0 || at(rec, "meta.request_mode") != "stream" {
		t.Errorf("record %v", rec)
	}
}

func TestCostOfABatchIsThatOfItsOutputFile(t *testing.T) {
	line := func(id string, in, out int) string {
		return fmt.Sprintf(`{"id":"b","custom_id":"%s","response":{"status_code":200,"body":{"object":"chat.completion","model":"gpt-4o-2024","choices":[{"message":{"content":"%s"}}],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}},"error":null}`, id, strings.Repeat("x", 50_000), in, out, in+out)
	}
	file := line("a", 10, 5) + "\n" + line("b", 20, 7) + "\n" + `{"custom_id":"c","response":null,"error":{"message":"x"}}` + "\n" + line("d", 1, 1)
	for _, contentType := range []string{"application/octet-stream", "application/jsonl", "application/json", ""} {
		b := newBench(t, routeConf("llm/v1/files", "openai", "", `"input_cost":10,"output_cost":20`), func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Content-Type"] = []string{contentType}
			if contentType == "" {
				w.Header()["Content-Type"] = []string{"text/plain"}
			}
			io.WriteString(w, file)
		}).elsewhere()
		if _, body := b.send("GET", "/files/file-1/content", "", ""); body != file {
			t.Fatalf("%s: %d bytes for %d", contentType, len(body), len(file))
		}
		rec := b.record()
		for path, want := range map[string]any{"usage.prompt_tokens": 31.0, "usage.completion_tokens": 13.0, "usage.total_tokens": 44.0, "usage.cost": 0.00057, "meta.response_model": "gpt-4o-2024"} {
			if at(rec, path) != want {
				t.Errorf("%s: %s: got %v, want %v", contentType, path, at(rec, path), want)
			}
		}
	}
}

func TestUploadThatBreaksOffEndsTheUpstreamCall(t *testing.T) {
	began, left := make(chan struct{}), make(chan error, 1)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.ReadFull(r.Body, make([]byte, 1000))
		close(began)
		_, err := io.Copy(io.Discard, r.Body)
		left <- err
	}))
	defer up.Close()
	b := newBench(t, routeConf("audio/v1/audio/transcriptions", "openai", "m-1", `"upstream_url":"`+up.URL+`/v1/audio/transcriptions"`), nil)
	conn, err := net.Dial("tcp", b.front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /t HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: 1000000\r\n\r\n%s", formType, formOf("model=m-1", "file@="+strings.Repeat("x", 300_000))[:200_000])
	<-began
	conn.Close()
	select {
	case err := <-left:
		if err == nil {
			t.Error("the provider took half a file for a whole one")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the upstream call went on")
	}
	if rec := b.record(); at(rec, "meta.outcome") != "client_aborted" {
		t.Errorf("record %v", rec)
	}
}

func TestUploadMayTakeLongerThanTheWriteTimeout(t *testing.T) {
	conf := strings.Replace(routeConf("llm/v1/files", "openai", "", `"upstream_url":"$UP/v1/files"`), `{"route_type"`, `{"balancer":{"write_timeout":400},"targets":[{"route_type"`, 1) + "]}"
	b := newBench(t, conf, answering(`{"id":"file-1"}`))
	r, w := io.Pipe()
	go func() {
		body := formOf("purpose=batch", "file@="+strings.Repeat("x", 1000))
		for len(body) > 0 {
			n := min(100, len(body))
			io.WriteString(w, body[:n])
			body = body[n:]
			time.Sleep(60 * time.Millisecond)
		}
		w.Close()
	}()
	resp, err := http.Post(b.front.URL+"/files", formType, r)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestFormOverTheLimitIsSentOnceAndNeverRepeated(t *testing.T) {
	target := func(name string) string {
		return `{"route_type":"audio/v1/audio/transcriptions","model":{"provider":"openai","name":"` + name + `","options":{"upstream_url":"$UP/` + name + `"}},"auth":{}}`
	}
	conf := `{"balancer":{"algorithm":"round-robin","retries":3,"failover_criteria":["http_500","error","non_idempotent"]},"targets":[` + target("m") + `,` + target("m") + `]}`
	b := newBench(t, conf, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(500)
		io.WriteString(w, `{"error":{"message":"down"}}`)
	})
	resp, body := b.send("POST", "/t", formType, formOf("file@="+strings.Repeat("x", defaultLimit)))
	if resp.StatusCode != 500 || !strings.Contains(body, "down") || len(b.upstreamBodies()) != 1 {
		t.Errorf("%d %s, asked %d times", resp.StatusCode, body, len(b.upstreamBodies()))
	}
}

func TestPreserveForwardsEverythingUnchanged(t *testing.T) {
	for _, c := range []struct{ contentType, body, answerType, answer string }{
		{asJSON, ` {"input":"x" , "model":"text-embedding-ada-002"} `, asJSON, ` {"data":[] , "usage":{"prompt_tokens":5,"total_tokens":5}} `},
		{"application/octet-stream", "\x00\xff\r\n", "audio/mpeg", "\xff\xfb\x00"},
		{formType, formOf("model=other", "file@=x"), "text/plain", "srt"},
		{asJSON, `not json`, "text/event-stream", "data: {}\r\n\r\n: comment\n\ndata: [DONE]"},
	} {
		b := newBench(t, routeConf("preserve", "openai", "", `"upstream_url":"$UP"`), func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", c.answerType)
			w.WriteHeader(200)
			io.WriteString(w, c.answer)
		})
		resp, body := b.send("POST", "/v1/anything%2fhere?a=b", c.contentType, c.body)
		r, sent := b.asked()
		if body != c.answer || sent != c.body || r.URL.RequestURI() != "/v1/anything%2fhere?a=b" || resp.Header.Get("Content-Type") != c.answerType {
			t.Errorf("%s: got %q, sent %q to %s", c.contentType, body, sent, r.URL.RequestURI())
		}
	}
}

func TestStatusOfACreationIsKept(t *testing.T) {
	b := newBench(t, routeConf("llm/v1/files", "azure", "", `"azure_instance":"i","azure_deployment_id":"d"`), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", asJSON)
		w.WriteHeader(201)
		io.WriteString(w, `{"id":"file-1"}`)
	}).elsewhere()
	resp, body := b.send("POST", "/files", formType, formOf("purpose=batch", "file@=x"))
	if resp.StatusCode != 201 || body != `{"id":"file-1"}` || resp.Header.Get("X-Kong-LLM-Model") != "" {
		t.Errorf("%d %s %v", resp.StatusCode, body, resp.Header)
	}
	if rec := b.record(); at(rec, "meta.outcome") != "completed" {
		t.Errorf("record %v", rec)
	}
}

func TestFormWithoutAModelIsLoggedAsUnspecified(t *testing.T) {
	b := newBench(t, routeConf("llm/v1/files", "openai", "", ""), answering(`{"id":"file-1"}`)).elsewhere()
	if resp, body := b.send("POST", "/files", formType, formOf("purpose=batch", "file@=x")); resp.StatusCode != 200 || resp.Header.Get("X-Kong-LLM-Model") != "" {
		t.Fatalf("%d %s %v", resp.StatusCode, body, resp.Header)
	}
	if rec := b.record(); at(rec, "meta.request_model") != "UNSPECIFIED" {
		t.Errorf("record %v", rec)
	}
}

func TestTuningOptionsHaveTheNamesOfResponses(t *testing.T) {
	b := newBench(t, routeConf("llm/v1/responses", "openai", "gpt-4o", `"max_tokens":512,"temperature":0.5,"top_p":0.25,"top_k":7`), answering(`{"id":"resp_1"}`)).elsewhere()
	for path, want := range map[string]string{
		"/responses":              `{"input":"hi","max_output_tokens":512,"model":"gpt-4o","temperature":0.5,"top_p":0.25}`,
		"/responses/input_tokens": `{"input":"hi","max_output_tokens":9,"model":"gpt-4o"}`,
	} {
		if resp, body := b.send("POST", path, asJSON, `{"input":"hi","max_output_tokens":9}`); resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
		if _, sent := b.asked(); sent != want {
			t.Errorf("%s: sent %s, want %s", path, sent, want)
		}
	}
}

func TestOptionsThatAModelRefusesAreNotSentInResponses(t *testing.T) {
	for provider, more := range map[string]string{"openai": "", "azure": `,"azure_instance":"i","azure_deployment_id":"d"`} {
		b := newBench(t, routeConf("llm/v1/responses", provider, "gpt-5", `"max_tokens":512,"temperature":0.5,"top_p":0.25`+more), answering(`{"id":"resp_1"}`)).elsewhere()
		if resp, body := b.send("POST", "/responses", asJSON, `{"input":"hi"}`); resp.StatusCode != 200 {
			t.Fatalf("%s: %d %s", provider, resp.StatusCode, body)
		}
		if _, sent := b.asked(); !strings.Contains(sent, `"max_output_tokens":512`) || strings.Contains(sent, "temperature") || strings.Contains(sent, "top_p") {
			t.Errorf("%s: sent %s", provider, sent)
		}
	}
}

// A client that asks for a stream where there is none is refused, and the
// provider is not asked; one that answers with a stream all the same made no
// sense.
func TestStreamsOfOperationsThatCannotStream(t *testing.T) {
	stream := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "data: {\"embeddings\":[]}\n\n")
	}
	for _, c := range []struct{ route, provider, options, path, body string }{
		{"llm/v1/chat", "llama2", `"llama2_format":"raw","upstream_url":"$UP/"`, "/chat", helloStream},
		{"image/v1/images/generations", "xai", "", "/images/generations", `{"prompt":"x","stream":true}`},
		{"image/v1/images/generations", "gemini", "", "/images/generations", `{"prompt":"x","stream":true}`},
	} {
		b := newBench(t, routeConf(c.route, c.provider, "m", c.options), stream).elsewhere()
		if resp, body := b.send("POST", c.path, asJSON, c.body); resp.StatusCode != 400 || !strings.Contains(body, "stream") {
			t.Errorf("%s %s: %d %s", c.provider, c.route, resp.StatusCode, body)
		}
		if len(b.upstreamBodies()) != 0 {
			t.Errorf("%s %s: the provider was asked", c.provider, c.route)
		}
	}
	for _, c := range []struct{ route, provider, path, body string }{
		{"llm/v1/embeddings", "cohere", "/embeddings", `{"input":"x"}`},
		{"llm/v1/embeddings", "gemini", "/embeddings", `{"input":"x"}`},
		{"image/v1/images/generations", "gemini", "/images/generations", `{"prompt":"x"}`},
	} {
		b := newBench(t, routeConf(c.route, c.provider, "m", ""), stream).elsewhere()
		if resp, body := b.send("POST", c.path, asJSON, c.body); resp.StatusCode != 500 || !strings.Contains(body, "transformation failed") {
			t.Errorf("%s %s answers with a stream: %d %s", c.provider, c.route, resp.StatusCode, body)
		}
	}
}

func TestSkillsOfAnthropicsClientsPass(t *testing.T) {
	const conf = `{"llm_format":"anthropic","route_type":"llm/v1/chat","model":{"provider":"anthropic","name":"m","options":{"anthropic_version":"2023-06-01"}}}`
	form := formOf("files[]@={}")
	for _, c := range []struct{ method, path, kind, body string }{
		{"GET", "/v1/skills?limit=3", "", ""}, {"POST", "/v1/skills", formType, form}, {"GET", "/v1/skills/skill_1/versions/1759/content", "", ""}, {"DELETE", "/v1/skills/skill_1", "", ""},
	} {
		b := newBench(t, conf, answering(`{}`)).elsewhere()
		b.send(c.method, c.path, c.kind, c.body)
		if r, sent := b.asked(); r.Method != c.method || r.URL.RequestURI() != c.path || sent != c.body || r.Header.Get("Anthropic-Version") == "" {
			t.Errorf("%s %s: asked %s %s with %q", c.method, c.path, r.Method, r.URL, sent)
		}
	}
}

func TestInteractionsOfGeminisClientsPassAndAreCounted(t *testing.T) {
	const conf = `{"llm_format":"gemini","logging":{"log_statistics":true},"route_type":"llm/v1/chat","model":{"provider":"gemini","name":"gemini-3-pro"},"auth":{"header_name":"x-goog-api-key","header_value":"k"}}`
	const answer = `{"id":"v1_a","model":"gemini-3-pro","status":"completed","outputs":[{"type":"text","text":"hi"}],"usage":{"total_input_tokens":20,"total_output_tokens":5,"total_tokens":25}}`
	for _, c := range []struct{ method, path, body, sent string }{
		{"POST", "/v1beta/interactions", `{"model":"gemini-3-pro","input":"hi"}`, `{"model":"gemini-3-pro","input":"hi"}`},
		{"POST", "/v1beta/interactions", `{"agent":"deep-research","input":"hi","background":true}`, `{"agent":"deep-research","input":"hi","background":true}`},
		{"GET", "/v1beta/interactions/v1_a", "", ""},
		{"POST", "/v1beta/interactions/v1_a/cancel", "", ""},
		{"DELETE", "/v1beta/interactions/v1_a", "", ""},
	} {
		b := newBench(t, conf, answering(answer)).elsewhere()
		kind := ""
		if c.body != "" {
			kind = asJSON
		}
		if _, got := b.send(c.method, c.path, kind, c.body); got != answer {
			t.Errorf("%s %s: answered %s", c.method, c.path, got)
		}
		if r, sent := b.asked(); r.Method != c.method || r.URL.RequestURI() != c.path || sent != c.sent {
			t.Errorf("%s %s: asked %s %s with %s", c.method, c.path, r.Method, r.URL, sent)
		}
	}
}

// Claude Code and Anthropic's SDKs speak so to Vertex AI.
func TestClaudesClientsOnVertexKeepTheirFormat(t *testing.T) {
	const body = `{"anthropic_version":"vertex-2023-10-16","messages":[{"role":"user","content":"hi"}],"max_tokens":9}`
	const path = "/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-4-5"
	const answer = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}}`
	native := `{"llm_format":"gemini","route_type":"llm/v1/chat","model":{"provider":"gemini","name":"claude-sonnet-4-5","options":{"gemini":{"api_endpoint":"h.googleapis.com","project_id":"own","location_id":"us-east5"}}}}`
	b := newBench(t, native, answering(answer)).elsewhere()
	if _, got := b.send("POST", path+":rawPredict", asJSON, body); got != answer {
		t.Errorf("answered %s", got)
	}
	if r, sent := b.asked(); r.URL.Path != "/v1/projects/own/locations/us-east5/publishers/anthropic/models/claude-sonnet-4-5:rawPredict" || sent != body {
		t.Errorf("asked %s with %s", r.URL, sent)
	}
	elsewhere := `{"llm_format":"gemini","targets":[{"route_type":"llm/v1/chat","model":{"provider":"openai","name":"gpt-4o","model_alias":"claude-*"},"auth":{"header_name":"Authorization","header_value":"Bearer k"}}]}`
	b = newBench(t, elsewhere, answering(`{"id":"c","object":"chat.completion","model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}`)).elsewhere()
	if _, got := b.send("POST", path+":rawPredict", asJSON, body); !strings.Contains(got, `"type":"message"`) || !strings.Contains(got, "hello") {
		t.Errorf("answered %s", got)
	}
	if _, sent := b.asked(); !strings.Contains(sent, `"model":"gpt-4o"`) || strings.Contains(sent, "anthropic_version") {
		t.Errorf("sent %s", sent)
	}
}
