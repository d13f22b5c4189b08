package openai

import (
	"fmt"
	"strings"
	"testing"

	"go-ai-proxy/translators/origin"
)

// What a Responses provider other than OpenAI sealed is marked as its own, and read by
// no other: who cannot read it refuses the whole request.
func TestSealedReasoningGoesBackToItsMakerOnly(t *testing.T) {
	const item = `{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"Z0FBQUE="}`
	for name, answer := range map[string]string{
		"whole":    `{"output":[%s,{"type":"message"}]}`,
		"an item":  `{"type":"response.output_item.done","item":%s}`,
		"the last": `{"type":"response.completed","response":{"output":[%s]}}`,
	} {
		marked := string(markSeals(nil, "azure", fmt.Appendf(nil, answer, item)))
		if strings.Contains(marked, item) || strings.Count(marked, `"encrypted_content":"`+sealedThinking) != 1 {
			t.Errorf("%s: is not marked: %s", name, marked)
		}
		kept := marked[strings.Index(marked, `{"type":"reasoning"`):]
		kept = kept[:strings.Index(kept, "}")+1]
		body := `{"input":[{"type":"message","content":"a"},` + kept + `]}`
		for own, want := range map[string]string{
			"azure":  `{"input":[{"type":"message","content":"a"},` + item + `]}`,
			"openai": `{"input":[{"type":"message","content":"a"}]}`,
			"xai":    `{"input":[{"type":"message","content":"a"}]}`,
		} {
			if got := string(ResponsesAt("/", origin.Name(own)).Edit.Request(nil, nil, []byte(body))); got != want {
				t.Errorf("%s: %s is sent %s", name, own, got)
			}
		}
	}
}

func TestOpenAIsOwnSealIsForwardedAsItIs(t *testing.T) {
	op := ResponsesAt("/", "openai")
	body := []byte(`{"input":[{"type":"reasoning","summary":[],"encrypted_content":"gAAAA"},{"type":"compaction","encrypted_content":"gAAAB"}]}`)
	if got := op.Edit.Request(nil, nil, body); &got[0] != &body[0] {
		t.Errorf("got %s", got)
	}
	if op.Edit.Rewrite != nil {
		t.Error("OpenAI's answers are rewritten")
	}
	if got := string(ResponsesAt("/", "azure").Edit.Request(nil, nil, body)); got != `{"input":[]}` {
		t.Errorf("another gets %s", got)
	}
}

// A run that another provider made is words to who takes over, and its token goes to none
// but its maker.
func TestRunsOfOthersAreWordsInTheSameFormat(t *testing.T) {
	const code = `{"type":"code_interpreter_call","id":"ci_1","code":"1+1","outputs":[{"type":"logs","logs":"2"}]}`
	run := func(item, whose, token string) string {
		return item + `,{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"` + sealedRun + origin.Text(origin.Name(whose), "", token) + `"}`
	}
	const search = `{"type":"web_search_call","id":"ws_9_0","action":{"type":"search","query":"q"}}`
	const words = `{"type":"message","role":"assistant","content":[{"type":"output_text","text":"[code_interpreter_call: {\"code\":\"1+1\",\"outputs\":[{\"type\":\"logs\",\"logs\":\"2\"}]}]"}]}`
	for name, c := range map[string]struct{ input, want string }{
		"code of Claude":       {run(code, "anthropic", `[{"type":"server_tool_use"}]`), words},
		"a search of Google":   {run(search, "google", ""), ""},
		"code of Groq":         {run(code, "groq", ""), words},
		"its own":              {run(code, "azure", `{"type":"code_interpreter_call","id":"ci_own"}`), `{"type":"code_interpreter_call","id":"ci_own"}`},
		"its own, forged":      {run(code, "azure", `{"type":"message"}`), words},
		"a token without item": {`{"type":"message","role":"user","content":"x"},` + strings.TrimPrefix(run("", "groq", ""), ","), `{"type":"message","role":"user","content":"x"}`},
	} {
		body := `{"input":[{"role":"user","content":"a"},` + c.input + `,{"role":"user","content":"b"}]}`
		want := `{"input":[{"role":"user","content":"a"},` + c.want + `,{"role":"user","content":"b"}]}`
		want = strings.Replace(want, ",,", ",", 1)
		if got := string(ResponsesAt("/", "azure").Edit.Request(nil, nil, []byte(body))); got != want {
			t.Errorf("%s: is sent %s", name, got)
		}
	}
}

func TestWhatHasNoSealIsForwardedAsItIs(t *testing.T) {
	op := ResponsesAt("/", "azure")
	for _, body := range []string{`{"input":"hi","include":["reasoning.encrypted_content"]}`, `{"input":[{"type":"reasoning","encrypted_content":null}]}`, `{"output":[]}`, `{}`} {
		b := []byte(body)
		if got := op.Edit.Request(nil, nil, b); &got[0] != &b[0] {
			t.Errorf("request: got %s", got)
		}
		if got := op.Edit.Rewrite(nil, b); &got[0] != &b[0] {
			t.Errorf("answer: got %s", got)
		}
	}
}
