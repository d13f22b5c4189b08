package openai

import (
	"fmt"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/provider"
)

// A call whose turn cannot come back whole has no signature: the next one is refused for
// a signature that is about parts which are missing.
func TestSignaturesOfCallsComeWithTheRunsBeforeThemOrNotAtAll(t *testing.T) {
	run, other := &chat.Run{ID: "1"}, &chat.Run{ID: "2"}
	begin := func(r *chat.Run) chat.Delta { return chat.Delta{Kind: chat.RunStart, Run: r} }
	end := func(r *chat.Run, token string) chat.Delta {
		return chat.Delta{Kind: chat.RunEnd, Run: r, Signature: []byte(token)}
	}
	call := func(n int, signature string) chat.Delta {
		return chat.Delta{Kind: chat.ToolStart, Index: n, ID: fmt.Append(nil, "c", n), Name: []byte("f"), Text: []byte("{}"), Signature: []byte(signature)}
	}
	for name, c := range map[string]struct {
		deltas []chat.Delta
		want   []string // the signatures
	}{
		"no runs":         {[]chat.Delta{call(0, "s0")}, []string{"s0"}},
		"a run":           {[]chat.Delta{begin(run), end(run, "r"), call(0, "s0"), call(1, "s1")}, []string{`hosted:["r","s0"]`, "s1"}},
		"between calls":   {[]chat.Delta{call(0, "s0"), begin(run), end(run, "r"), call(1, ""), call(2, "s2")}, []string{"s0", "", `hosted:["r","s2"]`}},
		"two runs":        {[]chat.Delta{begin(run), begin(other), end(run, "r"), end(other, "q"), call(0, "s0")}, []string{`hosted:["r","q","s0"]`}},
		"one is open":     {[]chat.Delta{begin(run), begin(other), end(run, "r"), call(0, "s0"), end(other, "q")}, []string{""}},
		"without a token": {[]chat.Delta{begin(run), end(run, ""), call(0, "s0")}, []string{""}},
	} {
		e := Chat.NewEncoder(chat.Meta{Origin: origin.Google})
		var stream []byte
		for i := range c.deltas {
			stream = e.Append(stream, &c.deltas[i])
		}
		var got []string
		for line := range strings.SplitSeq(string(stream), "\n") {
			data, ok := strings.CutPrefix(line, "data: ")
			if !ok {
				continue
			}
			for _, choice := range jsonedit.Elements(jsonedit.Lookup([]byte(data), "choices"), nil) {
				for _, call := range jsonedit.Elements(jsonedit.Lookup(choice, "delta", "tool_calls"), nil) {
					signature, _ := jsonedit.String(jsonedit.Lookup(call, "extra_content", "google", "thought_signature"))
					got = append(got, signature)
				}
			}
		}
		if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestCustomCallsKeepTheirSignature(t *testing.T) {
	r := parse(t, `{"messages":[{"role":"assistant","tool_calls":[{"id":"a","type":"custom","custom":{"name":"f","input":"x"},"extra_content":{"google":{"thought_signature":"sig"}}}]}]}`)
	if r.Messages[0].Parts[0].Signature != "sig" {
		t.Errorf("got %+v", r)
	}
}

// Only generateContent takes runs back: Google's API in OpenAI's format would take them
// for a broken signature.
func TestRunsDoNotReachAnAPIOfTheSameFormat(t *testing.T) {
	body := `{"messages":[{"role":"assistant","tool_calls":[{"id":"a","extra_content":{"google":{"thought_signature":"hosted:[\"r\",\"s\"]"}}}]}]}`
	for _, h := range []provider.History{{Thought: provider.ThoughtNowhere, Origin: origin.Google}, {}} {
		if got := string(ownHistory(&h, origin.Google, []byte(body))); strings.Contains(got, "hosted:") {
			t.Errorf("%+v is sent %s", h, got)
		}
	}
}
