package plugin

import (
	"strings"
	"testing"
)

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
