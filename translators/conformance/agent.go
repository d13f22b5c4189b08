package conformance

import (
	"fmt"
	"strings"

	"go-ai-proxy/translators/jsonedit"
)

// AgentsPrompt returns a coding agent's request in OpenAI's format, of about size bytes (at
// least 32 KB): turns with code in them, calls whose arguments are files, their
// results, and 20 tools. It is the same each time.
func AgentsPrompt(size int) []byte {
	b := []byte(`{"model": "mock-1", "messages": [{"role": "system", "content": `)
	b = append(jsonedit.AppendString(b, "You are a careful engineer.\n\n"+code(0, 4<<10)), '}')
	const tools = 20 << 10
	for turn := 0; len(b) < size-tools-2<<10; turn++ {
		n := min(9<<10, size-tools-len(b))
		if turn%2 == 0 {
			b = jsonedit.AppendString(append(b, `, {"role": "user", "content": `...), fmt.Sprintf("Step %d: make this \"faster\":\n", turn)+code(turn, n))
			b = append(b, '}')
			continue
		}
		arguments := append(jsonedit.AppendString([]byte(`{"path": "/src/main.go", "content": `), code(turn, n/3)), '}')
		b = fmt.Appendf(b, `, {"role": "assistant", "content": null, "tool_calls": [{"id": "call_%d", "type": "function", "function": {"name": "tool_%d", "arguments": `, turn, turn%20)
		b = append(jsonedit.AppendBytes(b, arguments), "}}]}"...)
		b = fmt.Appendf(b, `, {"role": "tool", "tool_call_id": "call_%d", "content": `, turn)
		b = append(jsonedit.AppendString(b, "written:\t"+code(turn, n/3)), '}')
	}
	b = append(b, `], "tools": [`...)
	for i := range 20 {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = fmt.Appendf(b, `{"type": "function", "function": {"name": "tool_%d", "description": `, i)
		b = append(jsonedit.AppendString(b, code(i, 400)), `, "parameters": {"type": "object", "properties": {`...)
		for j := range 4 {
			if j > 0 {
				b = append(b, ", "...)
			}
			b = fmt.Appendf(b, `"argument_%d": {"type": "string", "description": "What to do with the \"file\" number %d."}`, j, j)
		}
		b = append(b, `}, "required": ["argument_0"]}}}`...)
	}
	return append(b, "]}"...)
}

// code returns n bytes of program text.
func code(from, n int) string {
	var b strings.Builder
	for i := from; b.Len() < n; i++ {
		fmt.Fprintf(&b, "func step%d(w io.Writer) error {\n\tif _, err := fmt.Fprintf(w, \"%%q: %d\\n\", name); err != nil {\n\t\treturn err\n\t}\n\treturn nil\n}\n\n", i, i)
	}
	return b.String()[:n]
}
