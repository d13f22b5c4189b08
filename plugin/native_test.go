package plugin

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/route"
)

const chatRoute = "llm/v1/chat"

const vertexOptions = `"gemini":{"api_endpoint":"us-east5-aiplatform.googleapis.com","project_id":"acme","location_id":"us-east5"}`

func says(status int, contentType, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
}

func TestNativePathsReachTheirOperation(t *testing.T) {
	s := newStage(t, says(200, "application/json", `{}`))
	const agent, runtime, control = "bedrock-agent-runtime.us-east-1.amazonaws.com", "bedrock-runtime.us-east-1.amazonaws.com", "bedrock.us-east-1.amazonaws.com"
	const google, place = "generativelanguage.googleapis.com", "/v1/projects/acme/locations/us-east5"
	const vertex = "us-east5-aiplatform.googleapis.com"
	for _, c := range []struct {
		format, provider, model, more string
		method, path, query, body     string
		host, want                    string // path and query of the provider
	}{
		{"anthropic", "anthropic", "m", "", "POST", "/claude/v1/messages", "beta=true", `{"messages":[1]}`, "api.anthropic.com", "/v1/messages?beta=true"},
		{"anthropic", "anthropic", "m", "", "POST", "/", "", `{"messages":[1]}`, "api.anthropic.com", "/v1/messages"},
		{"anthropic", "anthropic", "m", "", "POST", "/v1/messages/count_tokens", "", `{"messages":[1]}`, "api.anthropic.com", "/v1/messages/count_tokens"},
		{"anthropic", "anthropic", "", "", "POST", "/v1/messages/batches", "", `{"requests":[]}`, "api.anthropic.com", "/v1/messages/batches"},
		{"anthropic", "anthropic", "", "", "GET", "/x/v1/messages/batches", "limit=2", "", "api.anthropic.com", "/v1/messages/batches?limit=2"},
		{"anthropic", "anthropic", "", "", "GET", "/v1/messages/batches/msgbatch_1/results", "", "", "api.anthropic.com", "/v1/messages/batches/msgbatch_1/results"},
		{"anthropic", "anthropic", "", "", "POST", "/v1/messages/batches/msgbatch_1/cancel", "", "", "api.anthropic.com", "/v1/messages/batches/msgbatch_1/cancel"},
		{"anthropic", "gemini", "claude-x", vertexOptions, "POST", "/v1/messages", "beta=true", `{"messages":[1]}`, vertex, place + "/publishers/anthropic/models/claude-x:rawPredict"},
		{"anthropic", "gemini", "claude-x", vertexOptions, "POST", "/v1/messages/count_tokens", "", `{"messages":[1]}`, vertex, place + "/publishers/anthropic/models/count-tokens:rawPredict"},
		{"anthropic", "bedrock", "us.anthropic.claude-haiku-4-5-20251001-v1:0", "", "POST", "/v1/messages", "", `{"messages":[1]}`, runtime, "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke"},
		{"anthropic", "bedrock", "us.anthropic.claude-haiku-4-5-20251001-v1:0", "", "POST", "/v1/messages", "", `{"messages":[1],"stream":true}`, runtime, "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke-with-response-stream"},
		{"anthropic", "bedrock", "arn:aws:bedrock:us-east-1:1:application-inference-profile/ab", `"anthropic_version":"bedrock-2023-05-31"`, "POST", "/v1/messages", "", `{"messages":[1]}`, runtime,
			"/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fab/invoke"},

		{"bedrock", "bedrock", "a:0", "", "POST", "/aws/model/a:0/converse", "", `{"messages":[1]}`, runtime, "/model/a%3A0/converse"},
		{"bedrock", "bedrock", "", "", "POST", "/model/a%3A0/converse-stream", "", `{"messages":[1]}`, runtime, "/model/a%3A0/converse-stream"},
		{"bedrock", "bedrock", "", "", "POST", "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fp/invoke", "", `{"x":1}`, runtime, "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fp/invoke"},
		{"bedrock", "bedrock", "a", "", "POST", "/model/a/invoke-with-response-stream", "", `{"x":1}`, runtime, "/model/a/invoke-with-response-stream"},
		{"bedrock", "bedrock", "a", "", "POST", "/model/a/retrieveAndGenerate", "", `{"x":1}`, agent, "/retrieveAndGenerate"},
		{"bedrock", "bedrock", "", "", "POST", "/retrieveAndGenerateStream", "", `{"x":1}`, agent, "/retrieveAndGenerateStream"},
		{"bedrock", "bedrock", "a", "", "POST", "/rerank", "", `{"queries":[]}`, agent, "/rerank"},
		{"bedrock", "bedrock", "a", "", "POST", "/model/a/async-invoke", "", `{"modelId":"a"}`, runtime, "/async-invoke"},
		{"bedrock", "bedrock", "", "", "GET", "/async-invoke/arn%3Aaws%3Abedrock%3A1", "", "", runtime, "/async-invoke/arn%3Aaws%3Abedrock%3A1"},
		{"bedrock", "bedrock", "", "", "POST", "/model-invocations", "", `{"modelId":"a"}`, control, "/model-invocation-job"},
		{"bedrock", "bedrock", "", "", "GET", "/model-invocation-jobs", "maxResults=1", "", control, "/model-invocation-jobs?maxResults=1"},
		{"bedrock", "bedrock", "", "", "POST", "/model-invocation-job/abc/stop", "", "", control, "/model-invocation-job/abc/stop"},

		{"gemini", "gemini", "g", "", "POST", "/gem/v1beta/models/g:generateContent", "key=client", `{"contents":[1]}`, google, "/v1beta/models/g:generateContent"},
		{"gemini", "gemini", "g", "", "POST", "/v1beta/models/g%3AgenerateContent", "", `{"contents":[1]}`, google, "/v1beta/models/g:generateContent"},
		{"gemini", "gemini", "", "", "POST", "/v1beta/models/g:streamGenerateContent", "", `{"contents":[1]}`, google, "/v1beta/models/g:streamGenerateContent"},
		{"gemini", "gemini", "", "", "POST", "/v1beta/models/g:streamGenerateContent", "alt=sse&key=k", `{"contents":[1]}`, google, "/v1beta/models/g:streamGenerateContent?alt=sse"},
		{"gemini", "gemini", "", "", "POST", "/v1beta/models/g:embedContent", "", `{}`, google, "/v1beta/models/g:embedContent"},
		{"gemini", "gemini", "", "", "POST", "/v1beta/models/g:batchEmbedContents", "", `{}`, google, "/v1beta/models/g:batchEmbedContents"},
		{"gemini", "gemini", "", "", "POST", "/v1beta/models/g:countTokens", "", `{}`, google, "/v1beta/models/g:countTokens"},
		{"gemini", "gemini", "", "", "GET", "/v1beta/models/g/operations/op1", "", "", google, "/v1beta/models/g/operations/op1"},
		{"gemini", "gemini", "", "", "POST", "/upload/v1beta/files", "", `{}`, google, "/upload/v1beta/files"},
		{"gemini", "gemini", "", "", "GET", "/v1beta/files/f1", "", "", google, "/v1beta/files/f1"},
		{"gemini", "gemini", "", "", "POST", "/v1beta/batches/b1:cancel", "", `{}`, google, "/v1beta/batches/b1:cancel"},
		{"gemini", "gemini", "g", vertexOptions, "POST", "/v1/projects/x/locations/y/publishers/google/models/g:generateContent", "", `{"contents":[1]}`, vertex, place + "/publishers/google/models/g:generateContent"},
		{"gemini", "gemini", "g", vertexOptions, "POST", "/v1/projects/x/locations/y/models/g:streamGenerateContent", "", `{"contents":[1]}`, vertex, place + "/publishers/google/models/g:streamGenerateContent"},
		{"gemini", "gemini", "", vertexOptions, "POST", "/v1/projects/x/locations/y/models/g:predictLongRunning", "", `{}`, vertex, place + "/publishers/google/models/g:predictLongRunning"},
		{"gemini", "gemini", "", vertexOptions, "GET", "/v1/projects/x/locations/y/batchPredictionJobs/7", "", "", vertex, place + "/batchPredictionJobs/7"},
		{"gemini", "gemini", "", vertexOptions, "POST", "/v1/projects/x/locations/global/rankingConfigs/default:rank", "", `{}`, "discoveryengine.googleapis.com", place + "/rankingConfigs/default:rank"},

		{"cohere", "cohere", "r", "", "POST", "/v2/rerank", "", `{"query":"q"}`, "api.cohere.com", "/v2/rerank"},
		{"cohere", "cohere", "r", "", "POST", "/v1/rerank", "", `{"query":"q"}`, "api.cohere.com", "/v1/rerank"},
		{"cohere", "cohere", "r", "", "POST", "/rerank", "", `{"query":"q"}`, "api.cohere.com", "/v1/rerank"},
		{"cohere", "cohere", "c", "", "POST", "/v2/chat", "", `{"messages":[1]}`, "api.cohere.com", "/v2/chat"},
		{"cohere", "cohere", "c", "", "POST", "/v1/chat", "", `{"message":"x"}`, "api.cohere.com", "/v1/chat"},
		{"cohere", "cohere", "e", "", "POST", "/co/v2/embed", "", `{"texts":["x"]}`, "api.cohere.com", "/v2/embed"},
		{"cohere", "cohere", "e", "", "POST", "/v1/embed", "", `{"texts":["x"]}`, "api.cohere.com", "/v1/embed"},
		{"huggingface", "huggingface", "org/m", "", "POST", "/generate", "", `{"inputs":"x"}`, "router.huggingface.co", "/hf-inference/models/org/m/generate"},
		{"huggingface", "huggingface", "org/m", `"upstream_url":"http://tgi.test:8080"`, "POST", "/hf/generate_stream", "", `{"inputs":"x"}`, "tgi.test", "/generate_stream"},

		// A configured URL: without a path, with that of the format's chat, with one of its own.
		{"anthropic", "anthropic", "m", `"upstream_url":"http://claude.test"`, "POST", "/v1/messages", "", `{"messages":[1]}`, "claude.test", "/v1/messages"},
		{"anthropic", "anthropic", "m", `"upstream_url":"https://x.test/anthropic/v1/messages"`, "POST", "/v1/messages", "", `{"messages":[1]}`, "x.test", "/anthropic/v1/messages"},
		{"anthropic", "anthropic", "m", `"upstream_url":"https://x.test/anthropic/v1/messages"`, "POST", "/v1/messages/count_tokens", "", `{"messages":[1]}`, "x.test", "/anthropic/v1/messages/count_tokens"},
		{"anthropic", "anthropic", "m", `"upstream_url":"https://x.test/anthropic/v1/messages"`, "GET", "/v1/messages/batches/b", "", "", "x.test", "/anthropic/v1/messages/batches/b"},
		{"bedrock", "bedrock", "a", `"upstream_url":"https://vpce.test"`, "POST", "/model/a/converse", "", `{"messages":[1]}`, "vpce.test", "/model/a/converse"},
		{"bedrock", "bedrock", "a", `"upstream_url":"https://x.test/my/own"`, "POST", "/model/a/converse", "", `{"messages":[1]}`, "x.test", "/my/own"},
	} {
		inst := s.instance(confOf(c.format, chatRoute, c.provider, c.model, c.more))
		var body []byte
		if c.body != "" {
			body = []byte(c.body)
		}
		out, rec := s.call(inst, c.method, c.path, c.query, body)
		refused := strings.Contains(c.path+c.body, "tream") && out.status == 500 // {} is no stream
		if out.status != 200 && !refused || len(s.seen) != 1 {
			t.Errorf("%s %s: %d %s", c.format, c.path, out.status, out.body.String())
			continue
		}
		if got := s.seen[0].URL.RequestURI(); got != c.want || s.seen[0].Method != c.method || rec.Data().Tried[0].Host != c.host {
			t.Errorf("%s %s:\n got %s %s %s\nwant %s %s %s", c.format, c.path, s.seen[0].Method, rec.Data().Tried[0].Host, got, c.method, c.host, c.want)
		}
	}
}

func TestNativeBodiesAreForwardedUnchangedExceptTheModel(t *testing.T) {
	s := newStage(t, says(200, "application/json", "{ \"odd\" : 1.0 }\n"))
	for _, c := range []struct{ format, provider, model, path, body, want string }{
		{"anthropic", "anthropic", "claude-real", "/v1/messages", `{ "max_tokens":1e3, "model" : "alias", "messages":[ {"role":"user","content":"\u00e9"} ], "x":[1.50] }`,
			`{ "max_tokens":1e3, "model" : "claude-real", "messages":[ {"role":"user","content":"\u00e9"} ], "x":[1.50] }`},
		{"anthropic", "anthropic", "claude-real", "/v1/messages", `{"messages":[1]}`, `{"messages":[1],"model":"claude-real"}`},
		{"bedrock", "bedrock", "real", "/model/alias/converse", `{ "messages":[ 1 ],"stream":true, "model":"x" }`, `{ "messages":[ 1 ],"stream":true, "model":"x" }`},
		{"bedrock", "bedrock", "real", "/model/alias/invoke", `{"inputText":"a", "textGenerationConfig":{"topP":0.90}}`, `{"inputText":"a", "textGenerationConfig":{"topP":0.90}}`},
		{"bedrock", "bedrock", "real", "/async-invoke", `{ "modelId":"alias","modelInput":{} }`, `{ "modelId":"real","modelInput":{} }`},
		{"gemini", "gemini", "real", "/v1beta/models/alias:generateContent", `{ "contents" : {"parts":[]} }`, `{ "contents" : {"parts":[]} }`},
		{"gemini", "gemini", "real", "/v1beta/models/alias:embedContent", `{"model":"models/alias","content":{"x":1.0}}`, `{"model":"models/real","content":{"x":1.0}}`},
		{"gemini", "gemini", "real", "/v1beta/models/alias:batchEmbedContents", `{"requests":[{"model":"models/alias","content":1.0},{"content":2}]}`,
			`{"requests":[{"model":"models/real","content":1.0},{"content":2}]}`},
		{"cohere", "cohere", "real", "/v2/rerank", `{"model":"alias","query":"q","documents":["a"],"return_documents":true}`, `{"model":"real","query":"q","documents":["a"],"return_documents":true}`},
		{"huggingface", "huggingface", "real", "/generate", `{"inputs":"x","parameters":{"temperature":0.10}}`, `{"inputs":"x","parameters":{"temperature":0.10}}`},
	} {
		conf := strings.Replace(confOf(c.format, chatRoute, c.provider, c.model, ""), `"model":{`, `"model":{"model_alias":"alias",`, 1)
		out, rec := s.post(s.instance(conf), c.path, "", []byte(c.body))
		if out.status != 200 || len(s.sent) != 1 || string(s.sent[0]) != c.want {
			t.Errorf("%s %s: %d %s\n got %s\nwant %s", c.format, c.path, out.status, out.body.String(), s.sent, c.want)
			continue
		}
		if got := out.body.String(); got != "{ \"odd\" : 1.0 }\n" || out.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: answer %q %v", c.path, got, out.header)
		}
		if got, want := out.header.Get("X-Kong-LLM-Model"), c.provider+"/"+c.model; got != want || rec.Data().Model != c.model {
			t.Errorf("%s: model header %q, record %q", c.path, got, rec.Data().Model)
		}
	}
}

func TestNativeClientsMustUseTheConfiguredModel(t *testing.T) {
	s := newStage(t, says(200, "application/json", `{}`))
	for _, c := range []struct{ format, provider, model, path, body, want string }{
		{"anthropic", "anthropic", "real", "/v1/messages", `{"model":"own","messages":[1]}`, "cannot use own model - must be: real"},
		{"bedrock", "bedrock", "real", "/model/own/converse", `{"messages":[1]}`, "cannot use own model - must be: real"},
		{"bedrock", "bedrock", "real", "/async-invoke", `{"modelId":"own"}`, "cannot use own model - must be: real"},
		{"gemini", "gemini", "real", "/v1beta/models/own:generateContent", `{"contents":[1]}`, "cannot use own model - must be: real"},
		{"cohere", "cohere", "real", "/v2/rerank", `{"model":"own","query":"q"}`, "cannot use own model - must be: real"},
		{"anthropic", "anthropic", "", "/v1/messages", `{"messages":[1]}`, textNoModel},
		{"gemini", "gemini", "", "/v1beta/models/..%2F..%2Fevil:generateContent", `{"contents":[1]}`, "the model's name cannot stand in a path segment"},
	} {
		out, _ := s.post(s.instance(confOf(c.format, chatRoute, c.provider, c.model, "")), c.path, "", []byte(c.body))
		if out.status != 400 || !strings.Contains(out.body.String(), c.want) || len(s.sent) != 0 {
			t.Errorf("%s: %d %s, want %s", c.path, out.status, out.body.String(), c.want)
		}
	}
}

func TestNativeErrorsHaveTheFormatsShape(t *testing.T) {
	s := newStage(t, says(200, "application/json", `{}`))
	for _, c := range []struct {
		format, provider, method, path, body string
		status                               int
		want, errorType                      string
	}{
		{"anthropic", "anthropic", "POST", "/v1/unknown", `{}`, 404, `{"type":"error","error":{"type":"not_found_error","message":"/v1/unknown is no path`, ""},
		{"anthropic", "anthropic", "GET", "/v1/messages", ``, 405, `{"type":"error","error":{"type":"invalid_request_error","message":"GET is not a method`, ""},
		{"anthropic", "anthropic", "POST", "/v1/messages", `{"messages":[]}`, 400, `{"type":"error","error":{"type":"invalid_request_error","message":"messages: is missing or empty`, ""},
		{"anthropic", "anthropic", "GET", "/v1/messages/batches/..", ``, 400, `{"type":"error","error":{"type":"invalid_request_error","message":"id `, ""},
		{"anthropic", "openai", "POST", "/v1/messages", `{"messages":[{"role":"king","content":"x"}]}`, 400, `{"type":"error","error":{"type":"invalid_request_error","message":"error transforming to openai://llm/v1/chat: messages[0].role`, ""},
		{"bedrock", "bedrock", "POST", "/nowhere", `{}`, 404, `{"__type":"ResourceNotFoundException","message":"/nowhere is no path`, "ResourceNotFoundException"},
		{"bedrock", "bedrock", "POST", "/model/m/converse", `not json`, 400, `{"__type":"ValidationException","message":"request body is not valid JSON`, "ValidationException"},
		{"gemini", "gemini", "POST", "/nowhere", `{}`, 404, `{"error":{"code":404,"message":"/nowhere is no path`, ""},
		{"cohere", "cohere", "POST", "/v1/classify", `{}`, 404, `{"message":"/v1/classify is no path`, ""},
		{"huggingface", "huggingface", "POST", "/nowhere", `{}`, 404, `{"error":"/nowhere is no path`, ""},
	} {
		var body []byte
		if c.body != "" {
			body = []byte(c.body)
		}
		out, _ := s.call(s.instance(confOf(c.format, chatRoute, c.provider, "m", "")), c.method, c.path, "", body)
		got := strings.Join(strings.Fields(out.body.String()), " ")
		want := strings.Join(strings.Fields(c.want), " ")
		if out.status != c.status || !strings.HasPrefix(strings.ReplaceAll(strings.ReplaceAll(got, "{ ", "{"), `": `, `":`), want) || out.header.Get("X-Amzn-Errortype") != c.errorType {
			t.Errorf("%s %s: %d %s %v\nwant %d %s", c.format, c.path, out.status, got, out.header, c.status, want)
		}
		if len(s.sent) != 0 {
			t.Errorf("%s: %s was sent", c.path, s.sent)
		}
	}
}

// chunkFrame is what InvokeModelWithResponseStream wraps around an event.
func chunkFrame(dst []byte, event string) []byte {
	return frame.AppendEventStream(dst, []frame.Header{{Name: ":event-type", Value: "chunk"}, {Name: ":content-type", Value: "application/json"}, {Name: ":message-type", Value: "event"}},
		[]byte(`{"bytes":"`+base64.StdEncoding.EncodeToString([]byte(event))+`","p":"abc"}`))
}

var claudeEvents = []string{
	`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[],"usage":{"input_tokens":10,"cache_read_input_tokens":5,"output_tokens":1}}}`,
	`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
	`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hé"}}`,
	`{"type":"content_block_stop","index":0}`,
	`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}`,
	`{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":10,"outputTokenCount":9}}`,
}

func claudeSSE(events []string) string {
	var b strings.Builder
	for _, e := range events {
		kind, _, _ := strings.Cut(strings.TrimPrefix(e, `{"type":"`), `"`)
		fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", kind, e)
	}
	return b.String()
}

const claudeOnBedrock = "us.anthropic.claude-haiku-4-5-20251001-v1:0"

func TestClaudeOnBedrockSpeaksAnthropicsFormat(t *testing.T) {
	var stream []byte
	for _, e := range claudeEvents {
		stream = chunkFrame(stream, e)
	}
	s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "-stream") {
			says(200, "application/json", `{"type":"message","model":"claude-haiku-4-5","content":[{"type":"text","text":"x"}],"usage":{"input_tokens":3,"output_tokens":4}}`).ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		for i := range stream { // byte by byte
			w.Write(stream[i : i+1])
			if i%50 == 0 {
				w.(http.Flusher).Flush()
			}
		}
	}))
	inst := s.instance(confOf("anthropic", chatRoute, "bedrock", claudeOnBedrock, `"anthropic_version":"bedrock-2023-05-31"`))
	out, rec := s.post(inst, "/v1/messages", "beta=true", []byte(`{"model":"`+claudeOnBedrock+`","max_tokens":5,"metadata":{"user_id":"u"},"messages":[{"role":"user","content":"x"}],"stream":true}`),
		"Anthropic-Beta", "context-management-2025-06-27, files-api-2025-04-14", "Anthropic-Version", "2023-06-01", "X-Api-Key", "sk-client")
	if got, want := string(s.sent[0]), `{"max_tokens":5,"messages":[{"role":"user","content":"x"}],"anthropic_beta":["context-management-2025-06-27"],"anthropic_version":"bedrock-2023-05-31"}`; got != want {
		t.Errorf("sent\n got %s\nwant %s", got, want)
	}
	h := s.seen[0].Header
	if h.Get("Anthropic-Beta") != "" || h.Get("X-Api-Key") != "" || !strings.HasPrefix(h.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") {
		t.Errorf("headers %v", h)
	}
	if out.body.String() != claudeSSE(claudeEvents) || out.header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("%v\n got %s\nwant %s", out.header, out.body.String(), claudeSSE(claudeEvents))
	}
	if rec.Data().Usage.Prompt != 15 || rec.Data().Usage.Completion != 9 || rec.Data().ResponseModel != "claude-haiku-4-5" || rec.Outcome() != record.Completed || rec.Data().Mode != record.Stream {
		t.Errorf("record %+v", rec.Data().Usage)
	}
	out, rec = s.post(inst, "/v1/messages", "", []byte(`{"messages":[1]}`))
	if rec.Data().Usage.Prompt != 3 || rec.Data().Usage.Completion != 4 || out.status != 200 {
		t.Errorf("%s %+v", out.body.String(), rec.Data().Usage)
	}
}

func TestErrorsOfClaudeOnOtherCloudsHaveAnthropicsShape(t *testing.T) {
	var begun []byte
	for _, e := range claudeEvents[:3] {
		begun = chunkFrame(begun, e)
	}
	failing := frame.AppendEventStream(slices.Clone(begun),
		[]frame.Header{{Name: ":exception-type", Value: "throttlingException"}, {Name: ":message-type", Value: "exception"}}, []byte(`{"message":"too fast"}`))
	for _, c := range []struct {
		provider, model, more string
		handler               http.Handler
		stream                bool
		want                  string
	}{
		{"bedrock", claudeOnBedrock, "", says(429, "application/json", `{"message":"Too many tokens"}`), false, `{"type":"error","error":{"type":"rate_limit_error","message":"Too many tokens"}`},
		{"bedrock", claudeOnBedrock, "", says(200, "application/vnd.amazon.eventstream", string(failing)), true, "event: error\ndata: " + `{"type":"error","error":{"type":"rate_limit_error","message":"too fast"`},
		{"bedrock", claudeOnBedrock, "", says(200, "application/vnd.amazon.eventstream", string(begun)), true, "event: error\ndata: " + `{"type":"error","error":{"type":"api_error","message":"the provider ended the stream`},
		{"gemini", "claude-x", vertexOptions, says(404, "application/json", `{"error":{"code":404,"message":"no such model","status":"NOT_FOUND"}}`), false, `{"type":"error","error":{"type":"not_found_error","message":"no such model"`},
		{"gemini", "claude-x", vertexOptions, says(400, "application/json", `{"type":"error","error":{"type":"invalid_request_error","message":"own"}}`), false, `{"type":"error","error":{"type":"invalid_request_error","message":"own"}}`},
		{"anthropic", "claude-x", "", says(529, "application/json", `{ "type":"error","error":{"type":"overloaded_error","message":"own"}}`), false, `{ "type":"error","error":{"type":"overloaded_error","message":"own"}}`},
	} {
		s := newStage(t, c.handler)
		out, rec := s.post(s.instance(confOf("anthropic", chatRoute, c.provider, c.model, c.more)), "/v1/messages", "", fmt.Appendf(nil, `{"messages":[1],"stream":%v}`, c.stream))
		if !strings.Contains(out.body.String(), c.want) {
			t.Errorf("%s:\n got %s\nwant %s", c.provider, out.body.String(), c.want)
		}
		if rec.Outcome() != record.Failed && rec.Outcome() != record.CutOff {
			t.Errorf("%s: outcome %s", c.provider, rec.Outcome())
		}
	}
}

func TestClaudeOnVertexTakesNoModelAndNoOutputConfig(t *testing.T) {
	s := newStage(t, says(200, "application/json", `{}`))
	inst := s.instance(confOf("anthropic", chatRoute, "gemini", "claude-sonnet-4-5", `"anthropic_version":"vertex-2023-10-16",`+vertexOptions))
	s.post(inst, "/v1/messages", "", []byte(`{"model":"claude-sonnet-4-5","messages":[1],"output_config":{"effort":"low"},"stream":true}`), "Anthropic-Beta", "context-1m-2025-08-07,b1")
	if got, want := string(s.sent[0]), `{"messages":[1],"stream":true,"anthropic_version":"vertex-2023-10-16"}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if s.seen[0].Header.Get("Anthropic-Beta") != "context-1m-2025-08-07" {
		t.Errorf("headers %v", s.seen[0].Header)
	}
}

func TestEmptyThinkingIsLeftOutAndSignedThinkingStays(t *testing.T) {
	const history = `{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"","signature":""},{"type":"thinking","thinking":"","signature":"S"},{"type":"text","text":"x"}]}]}`
	for _, c := range []struct{ provider, model string }{{"anthropic", "m"}, {"bedrock", claudeOnBedrock}} {
		s := newStage(t, says(200, "application/json", `{}`))
		s.post(s.instance(confOf("anthropic", chatRoute, c.provider, c.model, "")), "/v1/messages", "", []byte(history))
		if got := string(s.sent[0]); strings.Count(got, `"type":"thinking"`) != 1 || !strings.Contains(got, `"signature":"S"`) {
			t.Errorf("%s: %s", c.provider, got)
		}
	}
}

func TestNativeStreamsAreForwardedUnchangedAndCounted(t *testing.T) {
	converse := func(event, payload string) string {
		return string(frame.AppendEventStream(nil, []frame.Header{{Name: ":event-type", Value: event}, {Name: ":message-type", Value: "event"}}, []byte(payload)))
	}
	invoke := func(events ...string) (b string) {
		for _, e := range events {
			b += string(chunkFrame(nil, e))
		}
		return b
	}
	const eventStream = "application/vnd.amazon.eventstream"
	for _, c := range []struct {
		name, format, path, query, body, contentType, stream string
		prompt, completion                                   int
		model                                                string
	}{
		{"anthropic", "anthropic", "/v1/messages", "", `{"messages":[1],"stream":true}`, "text/event-stream; charset=utf-8",
			": hi\r\n\r\n" + strings.ReplaceAll(claudeSSE(claudeEvents[:3]), "\n", "\r\n") + "event: ping\ndata: {\"type\": \"ping\"}\n\n" + claudeSSE(claudeEvents[3:]), 15, 9, "claude-haiku-4-5"},
		{"gemini, array", "gemini", "/v1beta/models/m:streamGenerateContent", "", `{"contents":[1]}`, "application/json; charset=UTF-8",
			"[{\n  \"candidates\": [{\"content\":{\"parts\":[{\"text\":\"a\"}]},\"safetyRatings\":[1]}],\"usageMetadata\":{\"promptTokenCount\":4,\"candidatesTokenCount\":1}\n}\n,\r\n{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"b\"}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":4,\"candidatesTokenCount\":6,\"thoughtsTokenCount\":2},\"modelVersion\":\"g-002\"}\n]\n", 4, 8, "g-002"},
		{"gemini, events", "gemini", "/v1beta/models/m:streamGenerateContent", "alt=sse", `{"contents":[1]}`, "text/event-stream",
			"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"b\"}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":4,\"candidatesTokenCount\":6},\"modelVersion\":\"g-002\"}\r\n\r\n", 4, 6, "g-002"},
		{"converse", "bedrock", "/model/m/converse-stream", "", `{"messages":[1]}`, eventStream,
			converse("messageStart", `{"role":"assistant"}`) + converse("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"hi"},"p":"abcd"}`) +
				converse("messageStop", `{"stopReason":"end_turn"}`) + converse("metadata", `{"usage":{"inputTokens":5,"outputTokens":6,"totalTokens":11},"metrics":{"latencyMs":1}}`), 5, 6, "m"},
		{"invoke, Claude", "bedrock", "/model/m/invoke-with-response-stream", "", `{}`, eventStream, invoke(claudeEvents...), 15, 9, "claude-haiku-4-5"},
		{"invoke, Nova", "bedrock", "/model/m/invoke-with-response-stream", "", `{}`, eventStream,
			invoke(`{"contentBlockDelta":{"delta":{"text":"hi"}}}`, `{"messageStop":{"stopReason":"end_turn"}}`, `{"metadata":{"usage":{"inputTokens":2,"outputTokens":3}},"amazon-bedrock-invocationMetrics":{"inputTokenCount":2,"outputTokenCount":3}}`), 2, 3, "m"},
		{"invoke, Titan", "bedrock", "/model/m/invoke-with-response-stream", "", `{}`, eventStream,
			invoke(`{"outputText":"hi","index":0,"inputTextTokenCount":4}`, `{"outputText":"","totalOutputTextTokenCount":7,"completionReason":"FINISH","amazon-bedrock-invocationMetrics":{"inputTokenCount":4,"outputTokenCount":7}}`), 4, 7, "m"},
		{"invoke, Llama", "bedrock", "/model/m/invoke-with-response-stream", "", `{}`, eventStream,
			invoke(`{"generation":"hi","prompt_token_count":8,"generation_token_count":1}`, `{"generation":"","generation_token_count":9,"stop_reason":"stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":8,"outputTokenCount":9}}`), 8, 9, "m"},
		{"invoke, Mistral", "bedrock", "/model/m/invoke-with-response-stream", "", `{}`, eventStream,
			invoke(`{"outputs":[{"text":"hi","stop_reason":null}]}`, `{"outputs":[{"text":"","stop_reason":"stop"}],"amazon-bedrock-invocationMetrics":{"inputTokenCount":3,"outputTokenCount":2}}`), 3, 2, "m"},
		{"cohere", "cohere", "/v2/chat", "", `{"messages":[1],"stream":true}`, "text/event-stream",
			"event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"hi\"}}}}\n\nevent: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\",\"usage\":{\"billed_units\":{\"input_tokens\":3,\"output_tokens\":2}}}}\n\n", 3, 2, "m"},
		{"huggingface", "huggingface", "/generate_stream", "", `{"inputs":"a b c"}`, "text/event-stream",
			"data:{\"index\":1,\"token\":{\"id\":1,\"text\":\"hi\",\"special\":false},\"generated_text\":null,\"details\":null}\n\ndata:{\"index\":2,\"token\":{\"id\":2,\"text\":\"\",\"special\":true},\"generated_text\":\"hi\",\"details\":{\"finish_reason\":\"eos_token\",\"generated_tokens\":2,\"input_length\":4}}\n\n", 4, 2, "m"},
	} {
		for _, cut := range []int{1, 7, 1 << 20} {
			s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", c.contentType)
				for rest := c.stream; rest != ""; {
					n := min(cut, len(rest))
					io.WriteString(w, rest[:n])
					w.(http.Flusher).Flush()
					rest = rest[n:]
				}
			}))
			provider := c.format
			out, rec := s.post(s.instance(confOf(c.format, chatRoute, provider, "m", "")), c.path, c.query, []byte(c.body))
			if got := out.body.String(); got != c.stream || out.header.Get("Content-Type") != c.contentType || out.aborted {
				t.Errorf("%s, pieces of %d: %v\n got %q\nwant %q", c.name, cut, out.header, got, c.stream)
			}
			if rec.Data().Usage.Prompt != c.prompt || rec.Data().Usage.Completion != c.completion || rec.Outcome() != record.Completed || rec.Data().Mode != record.Stream {
				t.Errorf("%s: %d and %d tokens, want %d and %d; outcome %s", c.name, rec.Data().Usage.Prompt, rec.Data().Usage.Completion, c.prompt, c.completion, rec.Outcome())
			}
			if rec.Data().ResponseModel != "" && rec.Data().ResponseModel != c.model || rec.Data().ResponseModel == "" && rec.Data().Model != c.model {
				t.Errorf("%s: response model %q, want %q", c.name, rec.Data().ResponseModel, c.model)
			}
			if rec.Data().First == 0 {
				t.Errorf("%s: no time to first token", c.name)
			}
		}
	}
}

func TestUsageOfNativeAnswers(t *testing.T) {
	for _, c := range []struct {
		name, format, path, body, answer string
		headers                          [][2]string
		prompt, completion, units        int
	}{
		{"converse", "bedrock", "/model/m/converse", `{"messages":[1]}`, `{"output":{},"stopReason":"end_turn","usage":{"inputTokens":5,"outputTokens":6,"totalTokens":11,"cacheReadInputTokens":2}}`, nil, 7, 6, 0},
		{"invoke, Titan", "bedrock", "/model/m/invoke", `{}`, `{"inputTextTokenCount":5,"results":[{"tokenCount":3,"outputText":"a"},{"tokenCount":4,"outputText":"b"}]}`, nil, 5, 7, 0},
		{"invoke, headers", "bedrock", "/model/m/invoke", `{}`, `{"outputs":[{"text":"hi"}]}`, [][2]string{{"X-Amzn-Bedrock-Input-Token-Count", "11"}, {"X-Amzn-Bedrock-Output-Token-Count", "12"}}, 11, 12, 0},
		{"gemini", "gemini", "/v1beta/models/m:generateContent", `{"contents":[1]}`, `{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":1,"thoughtsTokenCount":2},"modelVersion":"g-002"}`, nil, 4, 3, 0},
		{"rerank", "cohere", "/v1/rerank", `{"query":"q"}`, `{"id":"1","results":[{"index":0,"relevance_score":0.9}],"meta":{"billed_units":{"search_units":1}}}`, nil, 0, 0, 1},
		{"generate", "huggingface", "/generate", `{"inputs":"a b c"}`, `{"generated_text":"hi","details":{"finish_reason":"length","generated_tokens":2,"prefill":[{},{},{}]}}`, nil, 3, 2, 0},
	} {
		s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for _, h := range c.headers {
				w.Header().Set(h[0], h[1])
			}
			says(200, "application/json", c.answer).ServeHTTP(w, r)
		}))
		out, rec := s.post(s.instance(confOf(c.format, chatRoute, c.format, "m", "")), c.path, "", []byte(c.body))
		if rec.Data().Usage.Prompt != c.prompt || rec.Data().Usage.Completion != c.completion || rec.Data().Usage.SearchUnits != c.units || out.body.String() != c.answer {
			t.Errorf("%s: %+v\n%s", c.name, rec.Data().Usage, out.body.String())
		}
	}
}

func TestNativeRequestsUseTheConfiguredCredentials(t *testing.T) {
	s := newStage(t, says(200, "application/json", `{}`))
	conf := func(format, auth string) string {
		return fmt.Sprintf(`{"llm_format":%q,"route_type":"llm/v1/chat","auth":%s,"model":{"provider":%q,"name":"m","options":{%s}}}`, format, auth, format, options[format])
	}
	s.post(s.instance(conf("gemini", `{"param_name":"key","param_value":"real","param_location":"query"}`)), "/v1beta/models/m:generateContent", "key=client&alt=json", []byte(`{"contents":[1]}`), "X-Goog-Api-Key", "client")
	if r := s.seen[0]; r.URL.RawQuery != "alt=json&key=real" || r.Header.Get("X-Goog-Api-Key") != "" {
		t.Errorf("gemini: %s %v", r.URL, r.Header)
	}
	s.post(s.instance(conf("anthropic", `{"header_name":"x-api-key","header_value":"real"}`)), "/v1/messages", "", []byte(`{"messages":[1]}`), "X-Api-Key", "client", "Authorization", "Bearer client", "Anthropic-Beta", "b")
	if h := s.seen[0].Header; h.Get("X-Api-Key") != "real" || h.Get("Authorization") != "" || h.Get("Anthropic-Beta") != "b" || h.Get("Anthropic-Version") != "2023-06-01" {
		t.Errorf("anthropic: %v", h)
	}
	s.post(s.instance(conf("bedrock", `{"aws_access_key_id":"REAL","aws_secret_access_key":"s"}`)), "/model/m/converse", "", []byte(`{"messages":[1]}`),
		"Authorization", "AWS4-HMAC-SHA256 Credential=dummy/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=00", "X-Amz-Date", "20200101T000000Z", "X-Amz-Security-Token", "dummy", "X-Amz-Content-Sha256", "00")
	if h := s.seen[0].Header; !strings.HasPrefix(h.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=REAL/") || h.Get("X-Amz-Security-Token") != "" || strings.HasPrefix(h.Get("X-Amz-Date"), "2020") {
		t.Errorf("bedrock: %v", h)
	}
}

func TestHeadersMeantForOneProviderAreNotSentToAnother(t *testing.T) {
	s := newStage(t, says(500, "application/json", `{}`))
	s.post(s.instance(confOf("anthropic", chatRoute, "gemini", "g", "")), "/v1/messages", "beta=true", []byte(`{"messages":[{"role":"user","content":"x"}]}`),
		"Anthropic-Beta", "b", "Anthropic-Version", "2023-06-01", "Accept", "text/event-stream")
	r := s.seen[0]
	if r.URL.RawQuery != "" || r.Header.Get("Anthropic-Beta") != "" || r.Header.Get("Anthropic-Version") != "" || r.Header.Get("Accept") != "" {
		t.Errorf("%s %v", r.URL, r.Header)
	}
}

func TestTuningAppliesToTranslatedBodies(t *testing.T) {
	s := newStage(t, says(500, "application/json", `{}`))
	s.post(s.instance(confOf("anthropic", chatRoute, "openai", "gpt-4o", `"max_tokens":7,"temperature":0.5`)), "/v1/messages", "",
		[]byte(`{"max_tokens":100,"temperature":1,"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"}],"messages":[{"role":"user","content":"x"}]}`))
	if got := string(s.sent[0]); !strings.Contains(got, `"max_tokens":7`) || !strings.Contains(got, `"temperature":0.5`) || !strings.Contains(got, `"text":"a"`) || !strings.Contains(got, `"text":"b"`) {
		t.Errorf("sent %s", got)
	}
}

func TestStreamingIsRefusedOrForcedInNativeFormatsToo(t *testing.T) {
	s := newStage(t, says(200, "text/event-stream", ""))
	for mode, cases := range map[string][][3]string{
		"deny":   {{"anthropic", "/v1/messages", `{"messages":[1],"stream":true}`}, {"bedrock", "/model/m/converse-stream", `{"messages":[1]}`}, {"gemini", "/v1beta/models/m:streamGenerateContent", `{"contents":[1]}`}},
		"always": {{"anthropic", "/v1/messages", `{"messages":[1]}`}, {"bedrock", "/model/m/converse", `{"messages":[1]}`}, {"gemini", "/v1beta/models/m:generateContent", `{"contents":[1]}`}},
	} {
		for _, c := range cases {
			conf := strings.Replace(confOf(c[0], chatRoute, c[0], "m", ""), `{"llm_format"`, `{"response_streaming":"`+mode+`","llm_format"`, 1)
			out, _ := s.post(s.instance(conf), c[1], "", []byte(c[2]))
			if mode == "deny" {
				if out.status != 400 || !strings.Contains(out.body.String(), textNoStreaming) {
					t.Errorf("%s: %d %s", c[1], out.status, out.body.String())
				}
				continue
			}
			if !strings.Contains(s.seen[0].URL.Path+string(s.sent[0]), "tream") {
				t.Errorf("%s: %s %s", c[1], s.seen[0].URL, s.sent[0])
			}
		}
	}
}

func TestPathIsMadeFromNamedCaptures(t *testing.T) {
	s := newStage(t, says(200, "application/json", `{}`))
	inst := s.instance(confOf("gemini", chatRoute, "gemini", "", ""))
	if got := strings.Join(inst.Need(), " "); got != "path captures" {
		t.Errorf("needs %s", got)
	}
	in := &wire.Inbound{Method: "POST", Path: "/", Header: http.Header{}, Body: strings.NewReader(`{"contents":[1]}`), ContentLength: 16}
	in.Kong = wire.Context{Path: "/g/anything", Captures: map[string]string{"model": "g-1", "operation": "generateContent"}}
	out := &taken{}
	s.relay.Serve(t.Context(), inst, in, out, nil)
	if out.status != 200 || s.seen[0].URL.Path != "/v1beta/models/g-1:generateContent" {
		t.Errorf("%d %s", out.status, out.body.String())
	}
}

func TestResponsesOfAnotherProviderCannotBeFetchedLater(t *testing.T) {
	s := newStage(t, says(200, "application/json", `{}`))
	inst := s.instance(confOf("", "llm/v1/responses", "anthropic", "m", ""))
	for _, c := range [][2]string{{"GET", "/v1/responses/resp_1"}, {"DELETE", "/v1/responses/resp_1"}, {"POST", "/v1/responses/resp_1/cancel"}, {"GET", "/v1/responses/resp_1/input_items"}} {
		out, _ := s.call(inst, c[0], c[1], "", nil)
		if out.status != 400 || !strings.Contains(out.body.String(), "none is stored that could be asked for by its id") || len(s.seen) != 0 {
			t.Errorf("%s %s: %d %s", c[0], c[1], out.status, out.body.String())
		}
	}
	for _, body := range []string{`{"input":"x","previous_response_id":"r"}`, `{"input":"x","background":true}`} {
		out, _ := s.post(inst, "/v1/responses", "", []byte(body))
		if out.status != 400 || !strings.Contains(out.body.String(), "provider") || len(s.seen) != 0 {
			t.Errorf("%s: %d %s", body, out.status, out.body.String())
		}
	}
}

func TestFailoverAcrossFormatsStopsAtFirstContent(t *testing.T) {
	const openAIAnswer = `{"choices":[{"message":{"content":"from openai"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`
	var calls int
	s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		if strings.HasSuffix(r.URL.Path, "/v1/messages") {
			says(500, "application/json", `{"type":"error","error":{"type":"api_error","message":"down"}}`).ServeHTTP(w, r)
			return
		}
		says(200, "application/json", openAIAnswer).ServeHTTP(w, r)
	}))
	inst := s.instance(`{"llm_format":"anthropic","balancer":{"algorithm":"priority","retries":2,"failover_criteria":["error","http_500","non_idempotent"]},"targets":[
	 {"route_type":"llm/v1/chat","weight":2,"auth":{"header_name":"x-api-key","header_value":"k"},"model":{"provider":"anthropic","options":{"anthropic_version":"2023-06-01"}}},
	 {"route_type":"llm/v1/chat","weight":1,"auth":{"header_name":"Authorization","header_value":"Bearer k"},"model":{"provider":"openai"}}]}`)
	out, rec := s.post(inst, "/v1/messages", "", []byte(`{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"}]}`))
	if calls != 2 || out.status != 200 || !strings.Contains(out.body.String(), `"type":"message"`) || !strings.Contains(out.body.String(), "from openai") || len(rec.Data().Tried) != 2 {
		t.Errorf("%d calls: %d %s", calls, out.status, out.body.String())
	}
	if strings.Contains(string(s.sent[1]), "anthropic") || !strings.Contains(string(s.sent[1]), `"messages":[{"role":"user","content":"x"}]`) {
		t.Errorf("the second attempt sent %s", s.sent[1])
	}
}

func TestSpecificRouteTypeServesItsOwnAPIs(t *testing.T) {
	s := newStage(t, says(200, "application/json", `{}`))
	inst := s.instance(confOf("gemini", "llm/v1/embeddings", "gemini", "g", ""))
	if out, _ := s.post(inst, "/v1beta/models/g:embedContent", "", []byte(`{"content":{}}`)); out.status != 200 {
		t.Errorf("%d %s", out.status, out.body.String())
	}
	out, _ := s.post(inst, "/v1beta/models/g:generateContent", "", []byte(`{"contents":[1]}`))
	if out.status != 400 || !strings.Contains(out.body.String(), "[llm/v1/chat] message format is not compatible with [llm/v1/embeddings] route type") {
		t.Errorf("%d %s", out.status, out.body.String())
	}
}

func TestNativeStreamsThatAreCutOffDoNotLookComplete(t *testing.T) {
	for _, c := range []struct {
		format, path, body, contentType, stream string
		aborted                                 bool
		want                                    string
	}{
		{"gemini", "/models/m:streamGenerateContent", `{"contents":[1]}`, "application/json", `[{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}`, true, ""},
		{"anthropic", "/v1/messages", `{"messages":[1],"stream":true}`, "text/event-stream", claudeSSE(claudeEvents[:3]), false,
			"event: error\ndata: " + `{"type":"error","error":{"type":"api_error","message":"the provider ended the stream before its end"}}` + "\n\n"},
		{"openai", "/v1/responses", `{"input":"x","stream":true}`, "text/event-stream", "event: response.output_text.delta\ndata: " + `{"type":"response.output_text.delta","delta":"a"}` + "\n\n", false,
			"the provider ended the stream before its end"},
		{"bedrock", "/model/m/converse-stream", `{"messages":[1]}`, eventStreamType, string(converseAnswer(3)[:500]), false, "the provider ended the stream before its end"},
	} {
		s := newStage(t, says(200, c.contentType, c.stream))
		serves := chatRoute
		if strings.HasSuffix(c.path, "/responses") {
			serves = "llm/v1/responses"
		}
		out, rec := s.post(s.instance(confOf(c.format, serves, c.format, "m", "")), c.path, "", []byte(c.body))
		if out.aborted != c.aborted || rec.Outcome() != record.CutOff || !strings.Contains(out.body.String(), c.want) || c.aborted && out.body.String() != c.stream {
			t.Errorf("%s: aborted %v, outcome %s\n%q", c.format, out.aborted, rec.Outcome(), out.body.String())
		}
	}
}

// A path finds an API and a model, or nothing; whatever it is, the model cannot
// lead to another path.
func FuzzNativePath(f *testing.F) {
	for _, path := range []string{"/v1/messages", "/model/a%2Fb/converse", "/v1beta/models/m:generateContent", "/models/x%3AembedContent", "/v1/messages/batches/b/results", "//", "/model/%zz/invoke"} {
		f.Add(path)
	}
	relay := NewRelay(testSchema, zerolog.Nop(), enginetest.Kind)
	var instances []*Instance
	for _, format := range routes.Formats()[1:] {
		inst, err := relay.NewInstance([]byte(confOf(format, chatRoute, format, "", "")))
		if err != nil {
			f.Fatal(err)
		}
		instances = append(instances, inst)
	}
	f.Fuzz(func(t *testing.T, path string) {
		defer workload.Linear(t, len(path))()
		for _, inst := range instances {
			q := newExchange(relay, inst, &wire.Inbound{Method: http.MethodPost, Path: path, Header: http.Header{}}, nil, nil)
			if err := (&reading{q, &q.request}).meet(); err != nil {
				continue
			}
			p := &plan{instance: inst, request: &q.request, internal: &q.internal, endpoint: inst.targets[0], how: same}
			if p.resolve() != nil {
				continue
			}
			if p.op = p.provider.Find(q.request.api.Format, route.Chat); p.op == nil {
				continue
			}
			out := &outgoing{plan: p}
			err := out.setURL()
			u := &out.url
			if err == nil && (strings.Contains(u.EscapedPath(), "/../") || strings.HasSuffix(u.EscapedPath(), "/..") || u.Host == "") {
				t.Errorf("%s leads to %s", path, u)
			}
		}
	})
}

// Google's SDKs send a file in pieces, without a content type.
func TestUploadedPiecesAreForwardedUnchanged(t *testing.T) {
	conf := `{"llm_format":"gemini","route_type":"llm/v1/chat","auth":{"header_name":"x-goog-api-key","header_value":"CANARY-KEY"},"model":{"provider":"gemini"}}`
	b := newBench(t, conf, answering(`{"file":{"name":"files/1"}}`)).elsewhere()
	for _, contentType := range []string{"", asJSON, "text/plain"} {
		piece := strings.Repeat("{\"line\":1}\n", 50)
		resp, body := b.send("POST", "/upload/v1beta/files?upload_id=1&upload_protocol=resumable", contentType, piece, "X-Goog-Upload-Command", "upload, finalize", "X-Goog-Upload-Offset", "0")
		if resp.StatusCode != 200 {
			t.Fatalf("%q: %d %s", contentType, resp.StatusCode, body)
		}
		if r, sent := b.asked(); sent != piece || r.URL.RawQuery != "upload_id=1&upload_protocol=resumable" || r.Header.Get("X-Goog-Upload-Command") != "upload, finalize" {
			t.Errorf("%q: sent %q to %s with %v", contentType, sent, r.URL, r.Header)
		}
	}
}
