package routes

import (
	"slices"
	"strings"
	"testing"

	"go-ai-proxy/translators"
	"go-ai-proxy/translators/provider"
)

func TestEveryChatProviderAnswersEveryDialect(t *testing.T) {
	found := map[string]Pair{}
	for _, p := range Pairs() {
		found[p.Format+" "+p.Provider] = p
	}
	for _, name := range translators.Names() {
		for format, api := range map[string]provider.Format{
			"openai": provider.OpenAIChat, "anthropic": provider.AnthropicMessages, "gemini": provider.GeminiGenerate, "bedrock": provider.BedrockConverse,
		} {
			p := found[format+" "+name]
			if !slices.Contains(p.AsIs, api) && !slices.Contains(p.Translated, api) {
				t.Errorf("%s does not answer %s", name, api)
			}
		}
		if p := found["openai "+name]; !slices.Contains(p.AsIs, provider.OpenAIResponses) && !slices.Contains(p.Translated, provider.OpenAIResponses) {
			t.Errorf("%s does not answer Responses", name)
		}
	}
	for pair, api := range map[string]provider.Format{
		"anthropic anthropic": provider.AnthropicBatches, "anthropic bedrock": provider.AnthropicMessages, "anthropic gemini": provider.AnthropicCount,
		"bedrock bedrock": provider.BedrockInvoke, "gemini gemini": provider.VertexRank, "cohere cohere": provider.CohereRerankV1,
		"huggingface huggingface": provider.HuggingfaceTGI, "cohere vllm": provider.CohereRerankV2, "anthropic openrouter": provider.AnthropicMessages,
	} {
		if !slices.Contains(found[pair].AsIs, api) {
			t.Errorf("%s: %s does not pass: %v", pair, api, found[pair])
		}
	}
	for pair := range found {
		format, name, _ := strings.Cut(pair, " ")
		if (format == "cohere" || format == "huggingface") && name != format && pair != "cohere vllm" {
			t.Errorf("%s is spoken to %s", format, name)
		}
	}
}
