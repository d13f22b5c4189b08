package gemini

import (
	"errors"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/jsontest"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/target"
)

func TestURLs(t *testing.T) {
	deployed := onGoogleCloud("my-llama")
	deployed.Options.Gemini.EndpointID = "1234567890"
	inDomain := onGoogleCloud("gemini-2.5-pro")
	inDomain.Options.Gemini.ProjectID = "example.com:my-project"
	const cloud = "https://us-central1-aiplatform.googleapis.com/v1/projects/my-project/locations/us-central1"
	for _, c := range []struct {
		name   string
		to     target.Target
		stream bool
		want   string
	}{
		{"public", onPublic("gemini-1.5-flash"), false, "https://generativelanguage.googleapis.com/v1beta/models/gemini-1.5-flash:generateContent"},
		{"public stream", onPublic("models/gemini-1.5-flash"), true, "https://generativelanguage.googleapis.com/v1beta/models/gemini-1.5-flash:streamGenerateContent?alt=sse"},
		{"Vertex", onGoogleCloud("gemini-2.5-pro"), false, cloud + "/publishers/google/models/gemini-2.5-pro:generateContent"},
		{"Vertex stream", onGoogleCloud("gemini-2.5-pro"), true, cloud + "/publishers/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse"},
		{"project of a domain", inDomain, false, "https://us-central1-aiplatform.googleapis.com/v1/projects/example.com:my-project/locations/us-central1/publishers/google/models/gemini-2.5-pro:generateContent"},
		{"Claude", onGoogleCloud("claude-sonnet-4-5@20250929"), false, cloud + "/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict"},
		{"Claude stream", onGoogleCloud("claude-sonnet-4-5@20250929"), true, cloud + "/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict"},
		{"Mistral", onGoogleCloud("mistral-medium-3"), true, cloud + "/publishers/mistralai/models/mistral-medium-3:streamRawPredict"},
		{"Codestral", onGoogleCloud("codestral-2"), false, cloud + "/publishers/mistralai/models/codestral-2:rawPredict"},
		{"Jamba", onGoogleCloud("jamba-1.5-mini@001"), false, cloud + "/publishers/ai21/models/jamba-1.5-mini@001:rawPredict"},
		{"Model Garden", deployed, true, cloud + "/endpoints/1234567890/chat/completions"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := Provider.Variant(&c.to)
			base, err := p.Base(&c.to)
			if err != nil {
				t.Fatal(err)
			}
			path, err := p.Operations["llm/v1/chat"].Path(&c.to, c.stream)
			if err != nil || base+path != c.want {
				t.Errorf("got %s%s, %v\nwant %s", base, path, err, c.want)
			}
		})
	}
}

func TestValuesCannotChangeOtherPartsOfTheURL(t *testing.T) {
	for _, v := range []string{"../../evil", "..", ".", "", "a/b", "a:predict", "a?b", "a#b", "a%2fb", "a b", "a\r\nb", "ä"} {
		public, cloud, elsewhere := onPublic(v), onGoogleCloud(v), onGoogleCloud("gemini-2.5-pro")
		elsewhere.Options.Gemini.LocationID = v
		endpoint := onGoogleCloud("m")
		endpoint.Options.Gemini.EndpointID = v
		for _, to := range []target.Target{public, cloud, elsewhere, endpoint} {
			if to.Options.Gemini.EndpointID == "" && to.Model == "m" {
				continue // "" is no endpoint
			}
			path, err := Provider.Variant(&to).Operations["llm/v1/chat"].Path(&to, false)
			var refused *chat.RequestError
			if err == nil || v != "" && !errors.As(err, &refused) {
				t.Errorf("%q: got %q, %v", v, path, err)
			}
		}
	}
	for _, v := range []string{"evil.example/x", "user@evil.example", "a b", "evil.example?x", "evil.example#", ":443"} {
		to := onGoogleCloud("gemini-2.5-pro")
		to.Options.Gemini.APIEndpoint = v
		if base, err := Provider.Variant(&to).Base(&to); err == nil {
			t.Errorf("api_endpoint %q: got %q", v, base)
		}
	}
}

func TestClaudeOnVertexHasItsModelInTheURL(t *testing.T) {
	to := onGoogleCloud("claude-sonnet-4-5@20250929")
	to.Options.AnthropicVersion = "2023-06-01"
	req, err := chat.ParseRequest(openai.Chat, []byte(`{"model":"x","stream":true,"messages":[{"role":"user","content":"hi"}],
		"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"age":{"type":"integer"}}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := vertexClaude.Operations["llm/v1/chat"].Chat.AppendRequest(nil, &to, req)
	if err != nil {
		t.Fatal(err)
	}
	body := string(got)
	if strings.Contains(body, `"model"`) || strings.Contains(body, "output_config") {
		t.Errorf("model or output_config is sent: %s", body)
	}
	for _, want := range []string{`"anthropic_version":"vertex-2023-10-16"`, `"stream":true`, `"age"`[1:4]} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is missing: %s", want, body)
		}
	}
	if len(req.Messages) != 1 {
		t.Error("the request was changed")
	}
}

// Strict tools and schemas are refused where the organization has not allowed them.
func TestClaudeOnVertexIsAskedForEffortAndNotForStrictTools(t *testing.T) {
	to := onGoogleCloud("claude-opus-4-6")
	req, err := chat.ParseRequest(openai.Chat, []byte(`{"messages":[{"role":"user","content":"hi"}],"reasoning_effort":"low",
		"tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{"type":"object","properties":{},"required":[],"additionalProperties":false}}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	op := vertexClaude.Operations["llm/v1/chat"]
	got, err := op.Chat.AppendRequest(nil, &to, req)
	if err != nil || strings.Contains(string(got), "strict") || !strings.Contains(string(got), `"output_config":{"effort":"low"}`) || req.Tools[0].Strict == nil {
		t.Errorf("%v: %s", err, got)
	}
	asked := `{"messages":[],"output_config":{"effort":"low","format":{"type":"json_schema","schema":{}}},"tools":[{"name":"f","input_schema":{},"strict":true}]}`
	if got, _, _, err := op.Edit.Fit.Body("claude-opus-4-6", []byte(asked), nil); err != nil || string(got) != asked {
		t.Errorf("a client that asks for them in Claude's format: %v %s", err, got)
	}
}

func TestPartnerModelsGetOnlySupportedFields(t *testing.T) {
	req, err := chat.ParseRequest(openai.Chat, []byte(`{"stream":true,"seed":7,"max_completion_tokens":9,"user":"u","messages":[{"role":"user","content":"hi"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for model, want := range map[string]string{
		"mistral-medium-3": `{"model":"mistral-medium-3","messages":[{"role":"user","content":"hi"}],"stream":true,"random_seed":7,"max_tokens":9}`,
		"jamba-1.5-mini":   `{"model":"jamba-1.5-mini","messages":[{"role":"user","content":"hi"}],"stream":true,"max_tokens":9}`,
	} {
		to := onGoogleCloud(model)
		got, err := Provider.Variant(&to).Operations["llm/v1/chat"].Chat.AppendRequest(nil, &to, req)
		if err != nil {
			t.Fatal(err)
		}
		jsontest.Same(t, string(got), want)
	}
}

func TestVertexsOpenAIEndpointIsTheOneCalledOpenapi(t *testing.T) {
	on := &target.Target{Provider: "gemini", Model: "google/gemini-2.5-flash", Options: &target.Options{Gemini: target.Gemini{
		APIEndpoint: "us-central1-aiplatform.googleapis.com", ProjectID: "p", LocationID: "us-central1", EndpointID: "openapi",
	}}}
	p := variant(on)
	path, err := p.Operations["llm/v1/chat"].Path(on, true)
	if err != nil || path != "/v1/projects/p/locations/us-central1/endpoints/openapi/chat/completions" {
		t.Errorf("%s (%v)", path, err)
	}
	if own := p.Operations["llm/v1/chat"].Own(on); own != "google" && own != "gemini" {
		t.Errorf("signatures are of %q", own)
	}
}
