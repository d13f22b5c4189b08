package jsonedit

import (
	"strings"
	"testing"
)

// agentBody is an agent's prompt of about 450 KB: turns of code and twenty tools.
func agentBody(line string) []byte {
	code := strings.Repeat(line, 9_600/len(line))
	b := []byte(`{"model": "mock-1", "messages": [`)
	for i := range 40 {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, `{"role": "`+[]string{"user", "assistant"}[i%2]+`", "content": `...)
		b = append(AppendString(b, code), '}')
	}
	b = append(b, `], "tools": [`...)
	for i := range 20 {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, `{"type": "function", "function": {"name": "tool_`+string(rune('a'+i))+`", "description": `...)
		b = append(AppendString(b, code[:400]), `, "parameters": {"type": "object", "properties": {"path": {"type": "string"}, "n": {"type": "integer"}}, "required": ["path"]}}}`...)
	}
	return append(b, "]}"...)
}

// denseCode has an escape every six bytes, plainCode every forty.
const (
	denseCode = "func main() {\n\tfmt.Println(\"hello\")\n}\n"
	plainCode = `	// add appends a node for the value at offset i and returns it; it is valid
	if n == cap(p.nodes) {
		return fmt.Errorf("cannot add %q: %w", name, err)
	}
`
)

func BenchmarkAgentsPrompt(b *testing.B) {
	for name, line := range map[string]string{"dense": denseCode, "code": plainCode} {
		body := agentBody(line)
		b.Run(name+"/Valid", func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				_ = Valid(body)
			}
		})
		b.Run(name+"/Parse", func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			var p Parser
			for b.Loop() {
				_, _ = p.Parse(body)
			}
		})
		b.Run(name+"/Parse and read", func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			var p Parser
			for b.Loop() {
				v, _ := p.Parse(body)
				for _, m := range v.GetArray("messages") {
					m.GetStringBytes("content")
				}
			}
		})
	}
}

func BenchmarkParseEvent(b *testing.B) {
	event := []byte(`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1717000000,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{"content":" world"},"logprobs":null,"finish_reason":null}],"usage":null}`)
	b.ReportAllocs()
	var p Parser
	for b.Loop() {
		v, _ := p.Parse(event)
		v.GetStringBytes("choices", "0", "delta", "content")
	}
}
