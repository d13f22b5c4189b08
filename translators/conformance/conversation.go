package conformance

import (
	"fmt"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/openai"
)

// Conversation is a chat of about size bytes with ten tools, calls and results.
func Conversation(tb testing.TB, size int) *chat.Request {
	tb.Helper()
	var b strings.Builder
	b.WriteString(`{"messages":[{"role":"system","content":"Be brief."}`)
	for i := 0; b.Len() < size*3/4; i++ {
		fmt.Fprintf(&b, `,{"role":"user","content":"Question %d: \"%s\""},`+
			`{"role":"assistant","content":null,"tool_calls":[{"id":"call_%d","type":"function","function":{"name":"tool_1","arguments":"{\"path\":\"/a/b\",\"line\":%d}"}}]},`+
			`{"role":"tool","tool_call_id":"call_%d","content":"%s"},{"role":"assistant","content":"Answer."}`,
			i, strings.Repeat("word ", 20), i, i, i, strings.Repeat(`line of text\n`, 40))
	}
	b.WriteString(`,{"role":"user","content":"Go on."}],"tools":[`)
	for i := range 10 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"type":"function","function":{"name":"tool_%d","description":%q,"parameters":{"type":"object","properties":{"path":{"type":"string"}},"required":["path"]}}}`,
			i, strings.Repeat("What it does. ", size/600))
	}
	b.WriteString(`]}`)
	req, err := chat.ParseRequest(openai.Chat, []byte(b.String()))
	if err != nil {
		tb.Fatal(err)
	}
	return req
}
