package compatible

import (
	"testing"

	"go-ai-proxy/translators/conformance/jsontest"
)

func TestAnswersAreRewrittenToOpenAIsFormat(t *testing.T) {
	for _, test := range []struct {
		name    string
		rewrite func(dst, data []byte) []byte
		in, out string
	}{
		{"thinking of vLLM", ReasoningContent, `{"choices":[{"delta":{"reasoning":"hm","content":null}}],"x":1.0}`, `{"choices":[{"delta":{"reasoning_content":"hm","content":null}}],"x":1.0}`},
		{"both names", ReasoningContent, `{"choices":[{"message":{"reasoning":"a","reasoning_content":"a"}}]}`, ``},
		{"text about it", ReasoningContent, `{"choices":[{"message":{"content":"a \"reasoning\": b"}}]}`, ``},
		{"Databricks' parts", SplitContent, `{"choices":[{"message":{"role":"assistant","content":[{"type":"reasoning","summary":[{"type":"summary_text","text":"h\"m"}]},{"type":"text","text":"yes"}]}}]}`,
			`{"choices":[{"message":{"role":"assistant","content":"yes","reasoning_content":"h\"m"}}]}`},
		{"Mistral's parts", SplitContent, `{"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}}]}`, `{"choices":[{"delta":{"content":"","reasoning_content":"hm"}}]}`},
		{"a string", SplitContent, `{"choices":[{"delta":{"content":"x"}}]}`, ``},
		{"no JSON", SplitContent, `"content" [`, ``},
		{"[DONE]", SplitContent, `[DONE]`, ``},
	} {
		got := test.rewrite(nil, []byte(test.in))
		if test.out == "" {
			if string(got) != test.in {
				t.Errorf("%s: got %s", test.name, got)
			}
			continue
		}
		if !jsontest.Equal(t, string(got), test.out) {
			t.Errorf("%s: got %s, want %s", test.name, got, test.out)
		}
	}
}
