package anthropic

import "testing"

func TestCitationsOfOthersDoNotReachClaude(t *testing.T) {
	const head, tail = `{"messages":[{"role":"assistant","content":[{"type":"text","text":"a"`, `}]}]}`
	const own = `{"type":"web_search_result_location","url":"u","title":"t","encrypted_index":"e","cited_text":"c"}`
	const foreign = `{"type":"web_search_result_location","url":"u","title":"t","cited_text":"c","encrypted_index":""}`
	for _, c := range []struct{ name, citations, want string }{
		{"its own stay", `,"citations":[` + own + `]`, `,"citations":[` + own + `]`},
		{"others are left out", `,"citations":[` + foreign + `,` + own + `]`, `,"citations":[` + own + `]`},
		{"without any there is no list", `,"citations":[` + foreign + `]`, ``},
	} {
		if got := string(OwnThinking(nil, nil, []byte(head+c.citations+tail))); got != head+c.want+tail {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}
