package chat

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/jsonedit"
)

func TestAttributionGoesToNobodyAndWhatFollowsItStays(t *testing.T) {
	const line = Attribution + " cc_version=2.1.177.a1b2c; cc_entrypoint=cli; cch=a1b2c;"
	say := func(texts ...string) (m Message) {
		m.Role = System
		for _, text := range texts {
			m.Parts = append(m.Parts, Part{Kind: Text, Text: jsonedit.Plain(text)})
		}
		return m
	}
	for _, c := range []struct {
		name   string
		system Message
		want   string
	}{
		{"a block of its own", say(line, "Be kind."), "Be kind."},
		{"nothing else", say(line), ""},
		{"joined to the prompt", say(line + "\nBe kind."), "Be kind."},
		{"joined with an empty line", say(line+"\r\n\r\nBe kind.", "Be brief."), "Be kind.|Be brief."},
		{"none", say("Be kind."), "Be kind."},
		{"spoken of", say("Say " + line), "Say " + line},
	} {
		user := Message{Role: User, Parts: []Part{{Kind: Text, Text: jsonedit.Plain(line)}}}
		req := &Request{Messages: []Message{c.system, user}}
		r := req.Unattributed()
		var got []string
		for _, m := range r.Messages {
			for _, p := range m.Parts {
				if m.Role == System {
					got = append(got, p.Text.String())
				}
			}
		}
		if strings.Join(got, "|") != c.want {
			t.Errorf("%s: the system says %q, want %q", c.name, got, c.want)
		}
		if n := len(r.Messages); n != 1 && c.want == "" || r.Messages[n-1].Parts[0].Text.String() != line {
			t.Errorf("%s: %d messages, the last %q", c.name, n, r.Messages[n-1].Parts[0].Text.String())
		}
		if len(req.Messages) != 2 || len(req.Messages[0].Parts) != len(c.system.Parts) || req.Messages[0].Parts[0].Text.String() != c.system.Parts[0].Text.String() {
			t.Errorf("%s: the client's own request was changed", c.name)
		}
	}
}
