package plugin

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
		"huggingface huggingface": provider.HuggingfaceTGI,
	} {
		if !slices.Contains(found[pair].AsIs, api) {
			t.Errorf("%s: %s does not pass: %v", pair, api, found[pair])
		}
	}
	for pair := range found {
		format, name, _ := strings.Cut(pair, " ")
		if (format == "cohere" || format == "huggingface") && name != format {
			t.Errorf("%s is spoken to %s", format, name)
		}
	}
}

// What is at load cannot be a surprise at the first request.
func TestPairsThatDoNotExistAreRefusedAtLoad(t *testing.T) {
	s := newStage(t, nil)
	for _, c := range []struct{ conf, want string }{
		{`{"llm_format":"bedrock","route_type":"llm/v1/chat","model":{"provider":"openai","name":"m"}}`, "native llm_format 'bedrock' can only be used with the 'bedrock' model.provider"},
		{`{"llm_format":"gemini","route_type":"llm/v1/chat","model":{"provider":"openai","name":"m"}}`, "native llm_format 'gemini' can only be used with the 'gemini' model.provider"},
		{`{"llm_format":"cohere","targets":[{"route_type":"llm/v1/chat","model":{"provider":"openai","name":"m"}}]}`, "native llm_format 'cohere' can only be used with the 'cohere' model.provider"},
		{`{"llm_format":"gemini","route_type":"llm/v1/completions","model":{"provider":"gemini","name":"m"}}`, "native provider options in llm_format can only be used with the 'llm/v1/chat' route_type"},
		{`{"llm_format":"anthropic","route_type":"llm/v1/embeddings","model":{"provider":"openai","name":"m"}}`, "llm_format anthropic has nothing of route_type llm/v1/embeddings: use one of llm/v1/chat, llm/v1/batches"},
	} {
		inst, err := s.relay.NewInstance([]byte(c.conf))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n got %v\nwant %s", c.conf, err, c.want)
		}
		inst.Close()
	}
	for _, name := range []string{"openai", "azure", "bedrock", "gemini", "dashscope", "huggingface", "databricks", "ollama"} {
		s.instance(confOf("anthropic", chatRoute, name, "m", ""))
	}
}
