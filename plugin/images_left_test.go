package plugin

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/mock"
)

// An image in the history does not end a conversation with a model that takes none: words
// stand in its place, and record and header name it.
func TestModelsWithoutEyesGetWordsForImages(t *testing.T) {
	const openai = `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}`
	const claude = `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"go"},{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"shot","input":{}}]},` +
		`{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]}]}],"tools":[{"name":"shot","input_schema":{"type":"object"}}]}`
	const codex = `{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"look"},{"type":"input_image","image_url":"data:image/png;base64,AAAA"}]}]}`
	const plain = `{"model":"m","messages":[{"role":"user","content":"say \"image_url\""}]}`
	for _, c := range []struct{ name, format, route, path, provider, model, body, left string }{
		{"a chat client", "openai", chatRoute, "/v1/chat/completions", "deepseek", "deepseek-chat", openai, "image"},
		{"a newer model", "openai", chatRoute, "/v1/chat/completions", "deepseek", "deepseek-v4-pro", openai, "image"},
		{"a tool's screenshot", "anthropic", chatRoute, "/v1/messages", "deepseek", "deepseek-v4-pro", claude, "image"},
		{"Codex", "openai", "llm/v1/responses", "/v1/responses", "deepseek", "deepseek-chat", codex, "image"},
		{"an open model", "anthropic", chatRoute, "/v1/messages", "groq", "openai/gpt-oss-120b", claude, "image"},
		{"a model that sees", "openai", chatRoute, "/v1/chat/completions", "groq", "meta-llama/llama-4-maverick", openai, ""},
		{"no image", "openai", chatRoute, "/v1/chat/completions", "deepseek", "deepseek-chat", plain, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, mock.Handler(mock.Options{}))
			out, rec := s.post(s.instance(confOf(c.format, c.route, c.provider, c.model, "")), c.path, "", []byte(strings.Replace(c.body, `"model":"m"`, `"model":"`+c.model+`"`, 1)))
			if len(s.sent) != 1 {
				t.Fatalf("answered %d %s", out.status, out.body.Bytes())
			}
			sent := string(s.sent[0])
			if strings.Contains(sent, "AAAA") != (c.left == "" && c.body != plain) || strings.Contains(sent, "An image was left out here") != (c.left != "") {
				t.Errorf("sent %s", sent)
			}
			if left := strings.Join(rec.Data().LeftOut, ","); left != c.left || out.header.Get("X-Kong-Llm-Tools-Left-Out") != c.left {
				t.Errorf("left out %q, header %v", left, out.header)
			}
		})
	}
}
