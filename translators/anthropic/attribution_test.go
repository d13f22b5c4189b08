package anthropic

import "testing"

func TestPlatformsWithAnthropicsFormatAreSentNoAttribution(t *testing.T) {
	const line = `x-anthropic-billing-header: cc_version=2.1.177.a1b2c; cch=a1b2c;`
	for _, c := range []struct{ body, want string }{
		{`{"system":[{"type":"text","text":"` + line + `"},{"type":"text","text":"Be kind.","cache_control":{"type":"ephemeral"}}],"messages":[]}`,
			`{"system":[{"type":"text","text":"Be kind.","cache_control":{"type":"ephemeral"}}],"messages":[]}`},
		{`{"system":[{"type":"text","text":"` + line + `"}],"messages":[]}`, `{"messages":[]}`},
		{`{"system":[{"type":"text","text":"` + line + `\n\nBe \"kind\"."}],"messages":[]}`, `{"system":[{"type":"text","text":"Be \"kind\"."}],"messages":[]}`},
		{`{"system":"` + line + `\nBe kind.","messages":[]}`, `{"system":"Be kind.","messages":[]}`},
		{`{"system":"` + line + `","messages":[]}`, `{"messages":[]}`},
		{`{"system":"Be kind.","messages":[{"role":"user","content":"` + line + `"}]}`, `{"system":"Be kind.","messages":[{"role":"user","content":"` + line + `"}]}`},
		{`{"system":[],"messages":[{"role":"user","content":"` + line + `"}]}`, `{"system":[],"messages":[{"role":"user","content":"` + line + `"}]}`},
	} {
		if got := string(Elsewhere(nil, nil, []byte(c.body))); got != c.want {
			t.Errorf("%s\nbecame %s\nwant   %s", c.body, got, c.want)
		}
	}
}
