package test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin"
	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/translators/mock"
)

// An exchange with one route type: what a client of OpenAI's API does, and what
// its answer must hold.
type step struct {
	method, path string // $id is that of the first answer
	body         any    // a string of JSON, or a map of a form's fields
	want         string // in the answer's body
}

var (
	picture, _ = base64.StdEncoding.DecodeString(mock.Picture)

	embeds  = []step{{"POST", "/e", `{"input":"hello"}`, `"embedding":[`}, {"POST", "/e", `{"input":["hello"],"encoding_format":"base64"}`, `"object":"list"`}}
	draws   = []step{{"POST", "/i", `{"prompt":"a cat","size":"1024x1024"}`, `"data":[{`}}
	edits   = []step{{"POST", "/i", map[string]string{"prompt": "a hat", "image": "@picture"}, `"data":[{`}}
	speaks  = []step{{"POST", "/s", `{"input":"hi","voice":"alloy"}`, "\xff\xfb"}}
	hears   = []step{{"POST", "/t", map[string]string{"file": "@sound"}, `"text":"hello"`}}
	stores  = []step{{"POST", "/files", map[string]string{"purpose": "batch", "file": "@lines"}, `"id":"file-mock1"`}, {"GET", "/files/$id", nil, `"id":"file-mock1"`}, {"GET", "/files", nil, `"data":[`}, {"GET", "/files/$id/content", nil, `"custom_id":"a"`}, {"DELETE", "/files/$id", nil, `"deleted":true`}}
	films   = []step{{"POST", "/videos", `{"prompt":"a cat","seconds":"6","size":"1280x720"}`, `"object":"video"`}, {"GET", "/videos/$id", nil, `"status":"completed"`}}
	watches = append(films, step{"GET", "/videos/$id/content", nil, "film"})
	queues  = []step{{"POST", "/batches", `{"input_file_id":"file-mock1","endpoint":"/v1/chat/completions","completion_window":"24h"}`, `"object":"batch"`}, {"GET", "/batches/$id", nil, `"object":"batch"`}, {"POST", "/batches/$id/cancel", nil, `"status":"cancelling"`}}
	inlines = []step{{"POST", "/batches", `{"requests":[{"custom_id":"a","url":"/v1/chat/completions","body":{"messages":[{"role":"user","content":"hi"}]}}]}`, `"object":"batch"`}, {"GET", "/batches/$id", nil, `"status":"completed"`}, {"POST", "/batches/$id/cancel", nil, `"status":"cancelling"`}}
	helps   = []step{{"POST", "/assistants", `{"name":"x"}`, `"object":"assistant"`}, {"GET", "/assistants/$id", nil, `"object":"assistant"`}, {"POST", "/threads", `{}`, `"object":"thread"`}}
)

// inBucket is queues with a file where the provider has its own.
func inBucket(uri string) []step {
	s := append([]step(nil), queues...)
	s[0].body = strings.Replace(s[0].body.(string), "file-mock1", uri, 1)
	return s
}

// TestEveryCellOfTheTableIsServed goes through the provider's mock, which
// refuses what the provider would refuse.
func TestEveryCellOfTheTableIsServed(t *testing.T) {
	const azure, vertex = `"azure_instance":"i","azure_deployment_id":"d","azure_api_version":"2025-01-01-preview"`, `"gemini":{"api_endpoint":"us-central1-aiplatform.googleapis.com","project_id":"p","location_id":"l"}`
	const bedrock = `"bedrock":{"aws_region":"us-east-1","video_output_s3_uri":"s3://b/v","batch_role_arn":"arn:aws:iam::1:role/r"}`
	const (
		gen, edit, video, batch, embeddings = "image/v1/images/generations", "image/v1/images/edits", "video/v1/videos/generations", "llm/v1/batches", "llm/v1/embeddings"
		speech, transcriptions, files       = "audio/v1/audio/speech", "audio/v1/audio/transcriptions", "llm/v1/files"
	)
	for _, c := range []struct {
		provider, model, options, route string
		steps                           []step
	}{
		{"openai", "m", "", embeddings, embeds}, {"openai", "m", "", gen, draws}, {"openai", "m", "", edit, edits}, {"openai", "m", "", speech, speaks},
		{"openai", "m", "", transcriptions, hears}, {"openai", "m", "", "audio/v1/audio/translations", hears}, {"openai", "", "", files, stores},
		{"openai", "", "", batch, queues}, {"openai", "m", "", "llm/v1/assistants", helps}, {"openai", "sora-2", "", video, watches},
		{"azure", "m", azure, embeddings, embeds}, {"azure", "m", azure, gen, draws}, {"azure", "m", azure, edit, edits}, {"azure", "m", azure, speech, speaks},
		{"azure", "m", azure, transcriptions, hears}, {"azure", "", azure, files, stores}, {"azure", "", azure, batch, queues}, {"azure", "m", azure, "llm/v1/assistants", helps},
		{"azure", "sora-2", azure, video, watches}, {"azure", "sora", azure, video, watches},
		{"bedrock", "amazon.titan-embed-text-v2:0", bedrock, embeddings, embeds}, {"bedrock", "cohere.embed-english-v3", bedrock, embeddings, embeds},
		{"bedrock", "amazon.nova-canvas-v1:0", bedrock, gen, draws}, {"bedrock", "amazon.nova-canvas-v1:0", bedrock, edit, edits}, {"bedrock", "stability.sd3-5-large-v1:0", bedrock, edit, edits},
		{"bedrock", "amazon.nova-reel-v1:1", bedrock, video, films}, {"bedrock", "m", bedrock, batch, inBucket("s3://b/in.jsonl")},
		{"gemini", "text-embedding-004", "", embeddings, embeds}, {"gemini", "gemini-2.5-flash-image", "", gen, draws}, {"gemini", "gemini-2.5-flash-image", "", edit, edits},
		{"gemini", "veo-3.1", "", video, watches}, {"gemini", "gemini-2.5-flash", "", batch, inlines},
		{"gemini", "text-embedding-005", vertex, embeddings, embeds}, {"gemini", "gemini-2.5-flash-image", vertex, gen, draws}, {"gemini", "gemini-2.5-flash-image", vertex, edit, edits},
		{"gemini", "imagen-4.0-generate-001", vertex, gen, draws}, {"gemini", "veo-3.1", vertex, video, watches}, {"gemini", "gemini-2.5-flash", vertex, batch, inBucket("gs://b/in.jsonl")},
		{"anthropic", "claude-sonnet-4-5", `"anthropic_version":"2023-06-01"`, batch, inlines},
		{"cohere", "embed-v4.0", "", embeddings, embeds}, {"mistral", "mistral-embed", `"mistral_format":"openai"`, embeddings, embeds}, {"dashscope", "text-embedding-v4", "", embeddings, embeds},
		{"huggingface", "org/model", "", embeddings, embeds}, {"huggingface", "org/model", "", video, watches},
		{"dashscope", "qwen-image-plus", "", gen, draws}, {"dashscope", "qwen-image-edit", "", edit, edits}, {"xai", "grok-2-image", "", gen, draws},
	} {
		t.Run(strings.ReplaceAll(c.provider+" "+c.route+" "+c.model, "/", "_"), func(t *testing.T) { serveSteps(t, c.provider, c.model, c.options, c.route, c.steps) })
	}
}

func serveSteps(t *testing.T, provider, model, options, route string, steps []step) {
	schema, err := schemaFile()
	if err != nil {
		t.Fatal(err)
	}
	up := httptest.NewServer(mock.Handler(mock.Options{}))
	defer up.Close()
	at, _ := url.Parse(up.URL)
	relay := plugin.NewRelay(schema, zerolog.Nop(), enginetest.Kind)
	defer relay.Close()
	relay.Redirect(at)
	name := ""
	if model != "" {
		name = `"name":"` + model + `",`
	}
	auth := `{"header_name":"Authorization","header_value":"Bearer k"}`
	if provider == "bedrock" {
		auth = `{"aws_access_key_id":"k","aws_secret_access_key":"s"}`
	}
	inst, err := relay.NewInstance(fmt.Appendf(nil, `{"route_type":"%s","auth":%s,"model":{"provider":"%s",%s"options":{%s}}}`, route, auth, provider, name, options))
	if err != nil {
		t.Fatal(err)
	}
	front := enginetest.NewServer(engine.HandlerFunc(func(x *engine.Exchange) {
		in := x.Inbound()
		in.Kong.Path = in.Path
		relay.Serve(x.Context(), inst, &in, x, nil)
	}))
	defer front.Close()
	id := ""
	for _, s := range steps {
		body, contentType := encoded(t, s.body)
		req, _ := http.NewRequest(s.method, front.URL+strings.Replace(s.path, "$id", id, 1), body)
		if contentType != "" {
			req.Header.Set("Content-Type", contentType)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 200 || !bytes.Contains(answer, []byte(s.want)) {
			t.Fatalf("%s %s: %d %.500s, want %s", s.method, s.path, resp.StatusCode, answer, s.want)
		}
		var object struct{ ID string }
		if id == "" && json.Unmarshal(answer, &object) == nil {
			id = object.ID
		}
	}
}

func encoded(t *testing.T, body any) (io.Reader, string) {
	t.Helper()
	switch b := body.(type) {
	case string:
		return strings.NewReader(b), "application/json"
	case map[string]string:
		var out bytes.Buffer
		w := multipart.NewWriter(&out)
		for name, value := range b {
			file, isFile := strings.CutPrefix(value, "@")
			content := map[string][]byte{"picture": picture, "sound": mock.Sound, "lines": []byte("{}\n")}[file]
			if !isFile {
				_ = w.WriteField(name, value)
				continue
			}
			h := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + name + `"; filename="` + file + `"`}, "Content-Type": {http.DetectContentType(content)}}
			p, err := w.CreatePart(h)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = p.Write(content)
		}
		_ = w.Close()
		return &out, w.FormDataContentType()
	}
	return nil, ""
}
