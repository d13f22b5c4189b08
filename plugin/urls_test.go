package plugin

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/plugin/wire"
)

// asked is an Upstream that keeps where it was sent, and answers with nothing.
type asked struct{ url *url.URL }

func (a *asked) Do(_ context.Context, out *wire.Outgoing) (*wire.Answer, error) {
	a.url = out.URL
	return &wire.Answer{Status: 500, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(`{}`)), Peer: "127.0.0.1:443"}, nil
}

// addressCase is where a request to a provider goes that has no upstream_url.
type addressCase struct {
	name   string
	config string // the rest of a configuration: targets' options, route type
	path   string // of the client's request
	query  string
	body   string
	want   string
}

const (
	aws       = `"auth":{"aws_access_key_id":"AKID","aws_secret_access_key":"s","allow_override":false}`
	vertex    = `"options":{"gemini":{"api_endpoint":"us-central1-aiplatform.googleapis.com","project_id":"p","location_id":"us-central1"}}`
	onePrompt = `{"prompt":"hi"}`
	oneInput  = `{"input":"hi"}`
	oneChat   = `{"messages":[{"role":"user","content":"hi"}],"max_tokens":9}` // of Anthropic's format, too
)

// The numbers in the names are those of the acceptance list.
var addresses = []addressCase{
	{name: "94 openai", config: `"model":{"provider":"openai","name":"m"}`, want: "https://api.openai.com/v1/chat/completions"},
	{name: "131 anthropic", config: `"model":{"provider":"anthropic","name":"m","options":{"anthropic_version":"2023-06-01"}}`, want: "https://api.anthropic.com/v1/messages"},
	{name: "136 anthropic, a prompt", config: `"route_type":"llm/v1/completions","model":{"provider":"anthropic","name":"m","options":{"anthropic_version":"2023-06-01"}}`, body: onePrompt, want: "https://api.anthropic.com/v1/complete"},
	{name: "155 bedrock", config: aws + `,"model":{"provider":"bedrock","name":"meta.llama3-70b-instruct-v1:0","options":{"bedrock":{"aws_region":"us-east-1"}}}`,
		want: "https://bedrock-runtime.us-east-1.amazonaws.com/model/meta.llama3-70b-instruct-v1%3A0/converse"},
	{name: "156 bedrock, a stream", config: aws + `,"model":{"provider":"bedrock","name":"m","options":{"bedrock":{"aws_region":"us-east-1"}}}`, body: helloStream,
		want: "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse-stream"},
	{name: "166 bedrock, an inference profile", config: aws + `,"model":{"provider":"bedrock","name":"arn:aws:bedrock:us-east-1:1:inference-profile/us.m","options":{"bedrock":{"aws_region":"us-east-1"}}}`,
		want: "https://bedrock-runtime.us-east-1.amazonaws.com/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.m/converse"},
	{name: "178 gemini", config: `"auth":{"param_name":"key","param_value":"k","param_location":"query"},"model":{"provider":"gemini","name":"gemini-1.5-flash"}`,
		want: "https://generativelanguage.googleapis.com/v1beta/models/gemini-1.5-flash:generateContent?key=k"},
	{name: "178 gemini, a stream", config: `"model":{"provider":"gemini","name":"gemini-1.5-flash"}`, body: helloStream,
		want: "https://generativelanguage.googleapis.com/v1beta/models/gemini-1.5-flash:streamGenerateContent?alt=sse"},
	{name: "179 vertex", config: `"model":{"provider":"gemini","name":"gemini-2.0-flash",` + vertex + `}`,
		want: "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/publishers/google/models/gemini-2.0-flash:generateContent"},
	{name: "179 vertex, Claude", config: `"model":{"provider":"gemini","name":"claude-sonnet-4",` + vertex + `}`,
		want: "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/publishers/anthropic/models/claude-sonnet-4:rawPredict"},
	{name: "204 cohere", config: `"model":{"provider":"cohere","name":"command-a"}`, want: "https://api.cohere.com/v2/chat"},
	{name: "201 cohere, a prompt", config: `"route_type":"llm/v1/completions","model":{"provider":"cohere","name":"command"}`, body: onePrompt, want: "https://api.cohere.com/v1/generate"},
	{name: "208 cohere, embeddings", config: `"route_type":"llm/v1/embeddings","model":{"provider":"cohere","name":"embed-v4.0"}`, body: oneInput, want: "https://api.cohere.com/v2/embed"},
	{name: "215 azure", config: `"model":{"provider":"azure","name":"m","options":{"azure_instance":"acme","azure_deployment_id":"d-one"}}`, want: "https://acme.openai.azure.com/openai/deployments/d-one/chat/completions?api-version=2023-05-15"},
	{name: "azure, a URL with its version", config: `"model":{"provider":"azure","name":"m","options":{"azure_instance":"i","azure_deployment_id":"d","upstream_url":"https://gw.acme/openai/deployments/d/chat/completions?api-version=2025-01-01-preview"}}`,
		want: "https://gw.acme/openai/deployments/d/chat/completions?api-version=2025-01-01-preview"},
	{name: "azure, /openai/v1", config: `"model":{"provider":"azure","name":"m","options":{"azure_instance":"acme.services.ai.azure.com","azure_deployment_id":"d","azure_api_version":"v1"}}`,
		want: "https://acme.services.ai.azure.com/openai/v1/chat/completions"},
	{name: "azure, a URL with its version in other letters", config: `"model":{"provider":"azure","name":"m","options":{"upstream_url":"https://gw.acme/d/chat/completions?x=1&API-Version=2025-01-01-preview"}}`, query: "api-version=2024-02-01",
		want: "https://gw.acme/d/chat/completions?x=1&API-Version=2025-01-01-preview"},
	{name: "azure, a URL below /openai/v1", config: `"model":{"provider":"azure","name":"m","options":{"azure_api_version":"2025-04-01-preview","upstream_url":"https://gw.acme/openai/v1/chat/completions"}}`,
		want: "https://gw.acme/openai/v1/chat/completions"},
	{name: "azure, the client's version", config: `"model":{"provider":"azure","name":"m","options":{"azure_instance":"i","azure_deployment_id":"d"}}`, query: "a=b&api-version=2024-10-21",
		want: "https://i.openai.azure.com/openai/deployments/d/chat/completions?a=b&api-version=2024-10-21"},
	{name: "azure, the client's preview", config: `"model":{"provider":"azure","name":"m","options":{"azure_instance":"i","azure_deployment_id":"d"}}`, query: "api-version=preview",
		want: "https://i.openai.azure.com/openai/v1/chat/completions?api-version=preview"},
	{name: "azure, the client's date and /openai/v1", config: `"model":{"provider":"azure","name":"m","options":{"azure_instance":"i","azure_deployment_id":"d","azure_api_version":"v1"}}`, query: "api-version=2024-10-21",
		want: "https://i.openai.azure.com/openai/v1/chat/completions"},
	{name: "azure, the client's date and responses", config: `"route_type":"llm/v1/responses","model":{"provider":"azure","name":"m","options":{"azure_instance":"i","azure_deployment_id":"d"}}`, query: "api-version=2025-04-01-preview", body: oneInput,
		want: "https://i.openai.azure.com/openai/v1/responses"},
	{name: "218 azure, responses", config: `"route_type":"llm/v1/responses","model":{"provider":"azure","name":"m","options":{"azure_instance":"acme","azure_deployment_id":"d","azure_api_version":"preview"}}`, body: oneInput,
		want: "https://acme.openai.azure.com/openai/v1/responses?api-version=preview"},
	{name: "221 mistral", config: `"model":{"provider":"mistral","name":"m","options":{"mistral_format":"openai"}}`, want: "https://api.mistral.ai/v1/chat/completions"},
	{name: "224 huggingface", config: `"model":{"provider":"huggingface","name":"m/n"}`, want: "https://router.huggingface.co/v1/chat/completions"},
	{name: "234 ollama", config: `"model":{"provider":"ollama","name":"m","options":{"upstream_url":"http://localhost:11434"}}`, want: "http://localhost:11434/api/chat"},
	{name: "234 ollama, embeddings", config: `"route_type":"llm/v1/embeddings","model":{"provider":"ollama","name":"m","options":{"upstream_url":"http://localhost:11434"}}`, body: oneInput, want: "http://localhost:11434/api/embed"},
	{name: "236 xai", config: `"model":{"provider":"xai","name":"grok-3"}`, want: "https://api.x.ai/v1/chat/completions"},
	{name: "238 cerebras", config: `"model":{"provider":"cerebras","name":"m"}`, want: "https://api.cerebras.ai/v1/chat/completions"},
	{name: "239 databricks", config: `"model":{"provider":"databricks","name":"m","options":{"databricks":{"workspace_instance_id":"dbc-x"}}}`, want: "https://dbc-x.cloud.databricks.com/serving-endpoints/v1/chat/completions"},
	{name: "240 dashscope", config: `"model":{"provider":"dashscope","name":"qwen-plus","options":{"dashscope":{"international":true}}}`, want: "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions"},
	{name: "240 dashscope in China", config: `"model":{"provider":"dashscope","name":"qwen-plus","options":{"dashscope":{"international":false}}}`, want: "https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions"},
	{name: "deepseek", config: `"model":{"provider":"deepseek","name":"deepseek-chat"}`, want: "https://api.deepseek.com/v1/chat/completions"},
}

func TestRequestsGoToTheProvidersURL(t *testing.T) { toAddresses(t, addresses) }

func toAddresses(t *testing.T, cases []addressCase) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			conf := c.config
			if !strings.Contains(conf, `"route_type"`) {
				conf = `"route_type":"llm/v1/chat",` + conf
			}
			up := &asked{}
			relay := NewRelay(testSchema, zerolog.Nop(), enginetest.Kind)
			relay.upstream = up
			inst, err := relay.NewInstance([]byte("{" + conf + "}"))
			if err != nil {
				t.Fatal(err)
			}
			body := cmp.Or(c.body, oneChat)
			path := cmp.Or(c.path, "/chat")
			rec := relay.Serve(t.Context(), inst, &wire.Inbound{Method: "POST", Path: path, RawQuery: c.query, ContentLength: int64(len(body)), Body: bytes.NewReader([]byte(body)),
				Header: http.Header{"Content-Type": {"application/json"}}, Kong: wire.Context{Path: path}}, nowhere{}, nil)
			if up.url == nil {
				t.Fatalf("nothing was sent: %s", rec.Data().Message)
			}
			if got := up.url.String(); got != c.want {
				t.Errorf("it went to\n%s, not to\n%s", got, c.want)
			}
		})
	}
}

// Of clients that speak a provider's own format.
var nativeAddresses = []addressCase{
	{name: "147 anthropic on azure", config: `"llm_format":"anthropic","model":{"provider":"azure","name":"m","options":{"azure_instance":"acme","azure_deployment_id":"d-one"}}`, path: "/v1/messages",
		want: "https://acme.openai.azure.com/openai/deployments/d-one/chat/completions?api-version=2023-05-15"},
	{name: "148 anthropic on bedrock", config: aws + `,"llm_format":"anthropic","model":{"provider":"bedrock","name":"us.anthropic.claude-haiku-4-5-20251001-v1:0","options":{"bedrock":{"aws_region":"us-east-1"}}}`, path: "/v1/messages",
		want: "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke"},
	{name: "149 anthropic on vertex", config: `"llm_format":"anthropic","model":{"provider":"gemini","name":"gemini-2.0-flash",` + vertex + `}`, path: "/v1/messages",
		want: "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/publishers/google/models/gemini-2.0-flash:generateContent"},
	{name: "150 anthropic on huggingface", config: `"llm_format":"anthropic","model":{"provider":"huggingface","name":"m/n"}`, path: "/v1/messages", want: "https://router.huggingface.co/v1/chat/completions"},
	{name: "151 anthropic on dashscope", config: `"llm_format":"anthropic","model":{"provider":"dashscope","name":"qwen-plus"}`, path: "/v1/messages", want: "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions"},
	{name: "152 anthropic's Claude on vertex", config: `"llm_format":"anthropic","model":{"provider":"gemini","name":"claude-sonnet-4",` + vertex + `}`, path: "/v1/messages",
		want: "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/publishers/anthropic/models/claude-sonnet-4:rawPredict"},
	{name: "167 bedrock", config: aws + `,"llm_format":"bedrock","model":{"provider":"bedrock","options":{"bedrock":{"aws_region":"us-east-1"}}}`, path: "/bedrock/model/m%3A0/converse", body: `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`,
		want: "https://bedrock-runtime.us-east-1.amazonaws.com/model/m%3A0/converse"},
	{name: "168 bedrock, a stream", config: aws + `,"llm_format":"bedrock","model":{"provider":"bedrock","name":"aws-titan-v1:0","options":{"bedrock":{"aws_region":"us-east-1"}}}`, path: "/bedrock/model/aws-titan-v1:0/converse-stream", body: `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`,
		want: "https://bedrock-runtime.us-east-1.amazonaws.com/model/aws-titan-v1%3A0/converse-stream"},
	{name: "170 bedrock, rerank", config: aws + `,"llm_format":"bedrock","model":{"provider":"bedrock","name":"m","options":{"bedrock":{"aws_region":"us-east-1"}}}`, path: "/rerank", body: `{"queries":[],"sources":[]}`,
		want: "https://bedrock-agent-runtime.us-east-1.amazonaws.com/rerank"},
	{name: "171 bedrock, retrieve and generate", config: aws + `,"llm_format":"bedrock","model":{"provider":"bedrock","name":"m","options":{"bedrock":{"aws_region":"us-east-1"}}}`, path: "/model/m/retrieveAndGenerate", body: `{"input":{"text":"hi"}}`,
		want: "https://bedrock-agent-runtime.us-east-1.amazonaws.com/retrieveAndGenerate"},
	{name: "172 bedrock, invoke", config: aws + `,"llm_format":"bedrock","model":{"provider":"bedrock","name":"m","options":{"bedrock":{"aws_region":"us-east-1"}}}`, path: "/model/m/invoke", body: `{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[]}`,
		want: "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/invoke"},
	{name: "195 gemini", config: `"llm_format":"gemini","auth":{"param_name":"key","param_value":"k","param_location":"query"},"model":{"provider":"gemini","name":"gemini-1.5-flash"}`, path: "/gemini/v1beta/models/gemini-1.5-flash:generateContent", query: "key=theirs",
		body: `{"contents":[{"parts":[{"text":"hi"}]}]}`, want: "https://generativelanguage.googleapis.com/v1beta/models/gemini-1.5-flash:generateContent?key=k"},
	{name: "196 gemini, a stream", config: `"llm_format":"gemini","model":{"provider":"gemini","name":"gemini-1.5-flash"}`, path: "/v1beta/models/gemini-1.5-flash:streamGenerateContent",
		body: `{"contents":[{"parts":[{"text":"hi"}]}]}`, want: "https://generativelanguage.googleapis.com/v1beta/models/gemini-1.5-flash:streamGenerateContent"},
	{name: "198 vertex, a stream", config: `"llm_format":"gemini","model":{"provider":"gemini","name":"gemini-2.0-flash",` + vertex + `}`, path: "/v1/projects/p/locations/us-central1/publishers/google/models/gemini-2.0-flash:streamGenerateContent",
		body: `{"contents":[{"parts":[{"text":"hi"}]}]}`, want: "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/publishers/google/models/gemini-2.0-flash:streamGenerateContent"},
	{name: "207 cohere, rerank", config: `"llm_format":"cohere","model":{"provider":"cohere","name":"rerank-v3.5"}`, path: "/v1/rerank", body: `{"query":"q","documents":["a"]}`, want: "https://api.cohere.com/v1/rerank"},
	{name: "207 cohere, rerank of the second version", config: `"llm_format":"cohere","model":{"provider":"cohere","name":"rerank-v3.5"}`, path: "/v2/rerank", body: `{"query":"q","documents":["a"]}`, want: "https://api.cohere.com/v2/rerank"},
}

func TestNativeRequestsGoToTheProvidersURL(t *testing.T) { toAddresses(t, nativeAddresses) }

// Of what is no chat.
var mediaAddresses = []addressCase{
	{name: "173 bedrock, embeddings", config: aws + `,"route_type":"llm/v1/embeddings","model":{"provider":"bedrock","name":"amazon.titan-embed-text-v2:0","options":{"bedrock":{"aws_region":"us-east-1"}}}`, body: oneInput,
		want: "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.titan-embed-text-v2%3A0/invoke"},
	{name: "174 bedrock, a film", config: aws + `,"route_type":"video/v1/videos/generations","model":{"provider":"bedrock","name":"amazon.nova-reel-v1:1","options":{"bedrock":{"aws_region":"us-east-1","video_output_s3_uri":"s3://b/o"}}}`, path: "/v1/videos", body: onePrompt,
		want: "https://bedrock-runtime.us-east-1.amazonaws.com/async-invoke"},
	{name: "191 vertex, a picture", config: `"route_type":"image/v1/images/generations","model":{"provider":"gemini","name":"gemini-3-pro-image-preview",` + vertex + `}`, body: onePrompt,
		want: "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/publishers/google/models/gemini-3-pro-image-preview:generateContent"},
	{name: "237 xai, a picture", config: `"route_type":"image/v1/images/generations","model":{"provider":"xai","name":"grok-2-image"}`, body: onePrompt, want: "https://api.x.ai/v1/images/generations"},
	{name: "241 dashscope, a picture", config: `"route_type":"image/v1/images/generations","model":{"provider":"dashscope","name":"qwen-image-plus"}`, body: onePrompt,
		want: "https://dashscope-intl.aliyuncs.com/api/v1/services/aigc/multimodal-generation/generation"},
}

func TestMediaRequestsGoToTheProvidersURL(t *testing.T) { toAddresses(t, mediaAddresses) }

// Preserve sends the client's path, unless the configuration says another one:
// by upstream_path, or by values of the request in the path of upstream_url.
func TestPreserveSendsTheConfiguredPath(t *testing.T) {
	const client = "/go/chat/completions"
	for _, c := range []struct{ name, provider, options, want string }{
		{"a host alone", "openai", `"upstream_url":"http://h.test"`, client},
		{"a host and a slash", "openai", `"upstream_url":"http://h.test/"`, client},
		{"a path that is always the same", "openai", `"upstream_url":"http://h.test/v1/x"`, client},
		{"a capture", "openai", `"upstream_url":"http://h.test/v1/$(uri_captures.op)"`, "/v1/chat/completions"},
		{"a header", "openai", `"upstream_url":"http://h.test/v1/$(headers.x-op)"`, "/v1/embeddings"},
		{"a header in the host", "openai", `"upstream_url":"http://$(headers.x-op).test/v1"`, client},
		{"a header in the query", "openai", `"upstream_url":"http://h.test/v1?op=$(headers.x-op)"`, client + "?op=embeddings"},
		{"a capture, and upstream_path", "openai", `"upstream_url":"http://h.test/v1/$(uri_captures.op)","upstream_path":"dummy"`, "/v1/chat/completions"},
		{"a path, and upstream_path", "openai", `"upstream_url":"http://h.test/v1/x","upstream_path":"dummy"`, "/v1/x"},
		{"a host, and upstream_path", "openai", `"upstream_url":"http://h.test","upstream_path":"/of/$(uri_captures.op)"`, "/of/chat/completions"},
		{"a capture, and upstream_path of gemini", "gemini", `"upstream_url":"http://h.test/v1/$(uri_captures.op)","upstream_path":"dummy"`, "/v1/chat/completions"},
		{"a path, and upstream_path of gemini", "gemini", `"upstream_url":"http://h.test/v1/x","upstream_path":"/own"`, "/own"},
	} {
		up := &asked{}
		relay := NewRelay(testSchema, zerolog.Nop(), enginetest.Kind)
		relay.upstream = up
		inst, err := relay.NewInstance([]byte(`{"route_type":"preserve","model":{"provider":"` + c.provider + `","options":{` + c.options + `}}}`))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		rec := relay.Serve(t.Context(), inst, &wire.Inbound{Method: "POST", Path: "/chat/completions", Header: http.Header{"X-Op": {"embeddings"}},
			Kong: wire.Context{Path: client, Captures: map[string]string{"op": "chat/completions"}}}, nowhere{}, nil)
		if up.url == nil || up.url.RequestURI() != c.want {
			t.Errorf("%s: it went to %v, not to %s: %s", c.name, up.url, c.want, rec.Data().Message)
		}
	}
}
