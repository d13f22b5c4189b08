package openai

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

func TestTokensWrittenToACacheAreCounted(t *testing.T) {
	for name, c := range map[string]struct {
		usage string
		want  chat.Usage
	}{
		"DashScope":                 {`{"prompt_tokens":20,"prompt_tokens_details":{"cached_tokens":3,"cache_creation_input_tokens":9,"cache_creation":{"ephemeral_5m_input_tokens":9}}}`, chat.Usage{Prompt: 20, Cached: 3, CacheWrite: 9, CacheWrite5m: 9}},
		"Databricks":                {`{"prompt_tokens":20,"cache_read_input_tokens":3,"cache_creation_input_tokens":9}`, chat.Usage{Prompt: 20, Cached: 3, CacheWrite: 9}},
		"only by how long it lives": {`{"prompt_tokens":20,"prompt_tokens_details":{"cached_tokens":3,"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":5}}}`, chat.Usage{Prompt: 20, Cached: 3, CacheWrite: 9, CacheWrite5m: 4, CacheWrite1h: 5}},
		"LiteLLM":                   {`{"prompt_tokens":20,"prompt_tokens_details":{"cached_tokens":3,"cache_creation_tokens":9}}`, chat.Usage{Prompt: 20, Cached: 3, CacheWrite: 9}},
		"Kimi":                      {`{"prompt_tokens":20,"cached_tokens":3}`, chat.Usage{Prompt: 20, Cached: 3}},
		"Mistral":                   {`{"prompt_tokens":20,"num_cached_tokens":3}`, chat.Usage{Prompt: 20, Cached: 3}},
		"no details":                {`{"prompt_tokens":20,"prompt_tokens_details":null}`, chat.Usage{Prompt: 20}},
	} {
		var got chat.Usage
		if !ReadUsage([]byte(c.usage), &got) || got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestMarksForTheCacheGoOnlyToWhoTakesThem(t *testing.T) {
	req := &chat.Request{Messages: []chat.Message{{Role: chat.User, Parts: []chat.Part{{Text: jsonedit.Plain("a"), CacheControl: chat.Raw(`{"type":"ephemeral"}`)}}}}}
	for takes, want := range map[bool]string{
		true:  `"content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]`,
		false: `"content":"a"`,
	} {
		body, err := Upstream{History: &provider.History{CacheControl: takes}}.AppendRequest(nil, &target.Target{Model: "m"}, req)
		if err != nil || !strings.Contains(string(body), want) {
			t.Errorf("%t: %v %s", takes, err, body)
		}
	}
}

func TestMarkOfAResultIsThatOfItsLastText(t *testing.T) {
	req := &chat.Request{Messages: []chat.Message{{Role: chat.ToolRole, Parts: []chat.Part{{Kind: chat.ToolResult, ID: "x", CacheControl: chat.Raw(`{"type":"ephemeral"}`), Parts: []chat.Part{{Text: jsonedit.Plain("a")}, {Text: jsonedit.Plain("b")}}}}}}}
	body, err := Upstream{History: &provider.History{CacheControl: true}}.AppendRequest(nil, &target.Target{Model: "m"}, req)
	const want = `"content":[{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]`
	if err != nil || !strings.Contains(string(body), want) {
		t.Errorf("%v %s", err, body)
	}
}
