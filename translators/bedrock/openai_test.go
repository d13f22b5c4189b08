package bedrock

import (
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

func TestTheConfiguredURLSaysWhoseAPIBedrockSpeaks(t *testing.T) {
	const claude = "anthropic.claude-sonnet-4-5-20250929-v1:0"
	for _, c := range []struct {
		model, url, path string
		want             *provider.Provider
		service          string
	}{
		{"openai.gpt-oss-120b-1:0", "", "", plain, "bedrock"},
		{claude, "", "", withClaude, "bedrock"},
		{"openai.gpt-oss-120b-1:0", "https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1/chat/completions", "", onRuntime, "bedrock"},
		{"openai.gpt-oss-120b-1:0", "", "/openai/v1/chat/completions", onRuntime, "bedrock"},
		{"openai.gpt-5.4", "https://bedrock-mantle.us-west-2.api.aws", "", onMantle, "bedrock-mantle"},
		{"openai.gpt-5.4", "https://bedrock-mantle.us-west-2.api.aws/openai/v1/responses", "", onMantle, "bedrock-mantle"},
		{claude, "https://bedrock-mantle.us-west-2.api.aws", "", claudeOnMantle, "bedrock-mantle"},
		{"m", "https://bedrock-mantle.us-west-2.api.aws/anthropic/v1/messages", "", claudeOnMantle, "bedrock-mantle"},
		{"m", "https://proxy.example/bedrock-mantle.x", "", plain, "bedrock"},
		{"m", "https://bedrock-mantle.us west", "", plain, "bedrock"},
	} {
		on := &target.Target{Provider: "bedrock", Model: c.model, Options: &target.Options{UpstreamURL: c.url, UpstreamPath: c.path}}
		if got := variant(on); got != c.want || service(on) != c.service {
			t.Errorf("%s at %q %q: another API, service %s", c.model, c.url, c.path, service(on))
		}
	}
}

func TestOpenAIsModelsOnBedrockAreAskedAsOpenAIs(t *testing.T) {
	hi := &chat.Request{Messages: []chat.Message{{Role: chat.User, Parts: []chat.Part{{Text: jsonedit.Plain("hi")}}}}, MaxTokens: "9", Temperature: "0.5", TopK: "3", ReasoningEffort: "high", Stream: true}
	for model, want := range map[string]string{
		"openai.gpt-5.4":          `{"model":"openai.gpt-5.4","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true},"reasoning_effort":"high","max_completion_tokens":9}`,
		"openai.gpt-oss-120b-1:0": `{"model":"openai.gpt-oss-120b-1:0","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true},"max_tokens":9,"temperature":0.5,"reasoning_effort":"high"}`,
	} {
		on := &target.Target{Provider: "bedrock", Route: route.Chat, Model: model, Options: &target.Options{}}
		got, err := onRuntime.Operations[route.Chat].AppendRequest(nil, on, hi)
		if err != nil || string(got) != want {
			t.Errorf("%s (%v)\n got %s\nwant %s", model, err, got, want)
		}
	}
}

func TestOtherVendorsAPIsOnBedrockConform(t *testing.T) {
	to := target.Target{Options: &target.Options{Bedrock: target.Bedrock{AWSRegion: "us-east-1"}}}
	conformance.Run(t, onRuntime, conformance.Options{Name: "OpenAI's", Target: to})
	conformance.Run(t, onMantle, conformance.Options{Name: "OpenAI's on mantle", Target: to, Routes: []route.Type{route.Chat}})
	conformance.Run(t, claudeOnMantle, conformance.Options{Name: "Anthropic's on mantle", Target: to, Header: [][2]string{{"Anthropic-Version", "2023-06-01"}}, Lacks: map[string]string{
		"choices": "one answer per request", conformance.RefusalParts: "a refusal is ordinary text",
	}})
}
