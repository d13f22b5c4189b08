package translators

import (
	"testing"

	"go-ai-proxy/translators/conformance"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// models are the ones that each provider is played with; others are played with the
// mock's.
var models = map[string][]string{
	"openai":      {"gpt-4.1", "gpt-5.4"},
	"azure":       {"gpt-4.1"},
	"anthropic":   {"claude-sonnet-4-6"},
	"bedrock":     {"us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us.amazon.nova-2-lite-v1:0", "openai.gpt-oss-120b-1:0"},
	"gemini":      {"gemini-2.5-pro", "gemini-3-pro"},
	"mistral":     {"mistral-large-latest"},
	"xai":         {"grok-3-mini"},
	"groq":        {"openai/gpt-oss-120b"},
	"perplexity":  {"sonar-pro"},
	"dashscope":   {"qwen-plus"},
	"huggingface": {"acme/mock-model-1"},
}

// lacking is what providers do not have, by the name of the player.
var lacking = map[string]map[string]string{
	"llama2 raw":                          {conformance.Calls: "a prompt and no more", conformance.Sources: "a prompt and no more"},
	"llama2 ollama":                       {conformance.Sources: "it searches nothing"},
	"ollama":                              {conformance.Sources: "it searches nothing"},
	"mistral ollama mistral-large-latest": {conformance.Sources: "it searches nothing"},
	"gemini gemini-2.5-pro":               {conformance.Joined: "from Gemini 3 on"},
	"gemini Vertex gemini-2.5-pro":        {conformance.ToolIDs: "functionCall has no id in v1", conformance.Joined: "from Gemini 3 on"},
	"gemini Vertex gemini-3-pro":          {conformance.ToolIDs: "functionCall has no id in v1", conformance.Joined: "not on Vertex"},
	"bedrock us.amazon.nova-2-lite-v1:0":  {conformance.Signatures: "Nova hides its reasoning"},
	"bedrock openai.gpt-oss-120b-1:0":     {conformance.Signatures: "its reasoning is not signed"},
}

// players are all providers at targets of each of their kinds.
func players() (list []conformance.Player) {
	for _, p := range Providers {
		kinds := p.Kinds
		if kinds == nil {
			options := needs[p.Name]
			kinds = []provider.Kind{{Options: options}}
		}
		for _, k := range kinds {
			names := models[p.Name]
			if k.Model != "" || names == nil {
				names = []string{k.Model}
			}
			for _, model := range names {
				options := k.Options
				if options.Bedrock.AWSRegion == "" {
					options.Bedrock.AWSRegion = "us-east-1"
				}
				to := target.Target{Model: model, Options: &options}
				if to.Model == "" {
					to.Model = "mock-model-1"
				}
				name := p.Name
				for _, part := range []string{k.Name, model} {
					if part != "" {
						name += " " + part
					}
				}
				if op := p.Operations[route.Chat]; op != nil {
					list = append(list, conformance.Player{Name: name, Provider: p, Target: to, Lacks: lacking[name]})
				}
			}
		}
	}
	return list
}

func TestConversationsMove(t *testing.T) {
	formats := []*provider.ClientFormat{Client}
	for _, p := range Providers {
		if p.Client != nil {
			formats = append(formats, p.Client)
		}
	}
	conformance.Pairs(t, formats, players())
}
