package translators

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/bedrock"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/gemini"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
)

// Gemini CLI offers functions with dots, Claude Code ones of up to 128 letters.
func TestClientsGetTheirOwnNamesOfFunctionsBack(t *testing.T) {
	for client, c := range map[string]struct {
		dialect chat.Dialect
		body    string
	}{
		"chat":        {openai.Chat, `{"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"a.b"}}]}`},
		"functions":   {openai.Chat, `{"messages":[{"role":"user","content":"x"}],"functions":[{"name":"a.b"}]}`},
		"responses":   {openai.Responses, `{"input":"x","tools":[{"type":"function","name":"a.b"}]}`},
		"completions": {openai.Chat, `{"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","name":"a.b"}]}`},
		"anthropic":   {anthropic.Dialect, `{"messages":[{"role":"user","content":"x"}],"tools":[{"name":"a.b","input_schema":{}}]}`},
		"gemini":      {gemini.Dialect, `{"contents":[{"parts":[{"text":"x"}]}],"tools":[{"functionDeclarations":[{"name":"a.b"}]}]}`},
		"bedrock":     {bedrock.Dialect, `{"messages":[{"role":"user","content":[{"text":"x"}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"a.b","inputSchema":{"json":{}}}}]}}`},
	} {
		r, err := chat.ParseRequest(c.dialect, []byte(c.body))
		if err != nil || r.Tools[0].Name != "a_b" {
			t.Fatalf("%s: %v, %+v", client, err, r)
		}
		meta := chat.Meta{Tools: r.ClientTools()}
		whole, err := c.dialect.AppendResponse(nil, &chat.Response{Meta: meta, Choices: []chat.Choice{{Finish: chat.ToolCalls, Parts: []chat.Part{{Kind: chat.ToolCall, ID: "1", Name: "a_b", Arguments: jsonedit.Plain("{}")}}}}})
		if err != nil {
			t.Fatal(err)
		}
		encoder := c.dialect.NewEncoder(meta)
		var stream []byte
		for _, d := range []chat.Delta{{Kind: chat.ToolStart, ID: []byte("1"), Name: []byte("a_b")}, {Kind: chat.ToolArguments, Text: []byte("{}")}, {Kind: chat.Finish, Reason: chat.ToolCalls}, {Kind: chat.End}} {
			stream = encoder.Append(stream, &d)
		}
		for what, got := range map[string]string{"whole": string(whole), "stream": string(stream)} {
			if !strings.Contains(got, `"name":"a.b"`) || strings.Contains(got, "a_b") {
				t.Errorf("%s, %s: %s", client, what, got)
			}
		}
	}
}
