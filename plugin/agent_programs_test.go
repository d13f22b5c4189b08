package plugin

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"go-ai-proxy/translators/mock"
)

// What Claude Code 2.1 sends, in short form; Bedrock takes it by InvokeModel.
func TestClaudeCodeReachesClaudeOnBedrock(t *testing.T) {
	t.Parallel()
	s := newStage(t, mock.Handler(mock.Options{}))
	inst := s.instance(confOf("anthropic", chatRoute, "bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", ""))
	for _, stream := range []bool{false, true} {
		body := []byte(claudeCodeRequest)
		if !stream {
			body = bytes.Replace(body, []byte(`"stream":true,`), nil, 1)
		}
		out, _ := s.post(inst, "/v1/messages", "beta=true", body, "anthropic-version", "2023-06-01",
			"anthropic-beta", "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,prompt-caching-scope-2026-01-05")
		if out.status != http.StatusOK || !strings.Contains(out.body.String(), `"stop_reason":"end_turn"`) {
			t.Errorf("stream %v: %d %s", stream, out.status, out.body.Bytes())
		}
	}
}

const claudeCodeRequest = `{"model":"us.anthropic.claude-sonnet-4-5-20250929-v1:0","max_tokens":32000,"stream":true,` +
	`"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1; cch=1a2b3;"},{"type":"text","text":"You are an agent.","cache_control":{"type":"ephemeral"}}],` +
	`"thinking":{"type":"enabled","budget_tokens":31999},"metadata":{"user_id":"u"},"context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]},` +
	`"messages":[{"role":"user","content":[{"type":"text","text":"Say hello","cache_control":{"type":"ephemeral"}}]}],` +
	`"tools":[{"name":"Bash","description":"Runs a command","input_schema":{"type":"object","properties":{"command":{"type":"string"}},"required":["command"],"additionalProperties":false}}]}`

// What Codex 0.171 sends, in short form; OpenAI's API takes client_metadata.
func TestCodexReachesOpenAI(t *testing.T) {
	t.Parallel()
	s := newStage(t, mock.Handler(mock.Options{}))
	inst := s.instance(confOf("openai", "llm/v1/responses", "openai", "gpt-5.4", ""))
	out, _ := s.post(inst, "/v1/responses", "", []byte(`{"model":"gpt-5.4","instructions":"You are an agent.","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Say hello"}]}],`+
		`"tools":[{"type":"function","name":"shell","strict":false,"parameters":{"type":"object","properties":{}}}],"tool_choice":"auto","parallel_tool_calls":false,"reasoning":null,`+
		`"store":false,"stream":true,"include":[],"prompt_cache_key":"k","client_metadata":{"x-codex-installation-id":"1"}}`))
	if out.status != http.StatusOK || !strings.Contains(out.body.String(), "response.completed") {
		t.Errorf("%d %s", out.status, out.body.Bytes())
	}
}
