package origin

import (
	"encoding/base64"
	"strings"
	"testing"

	"go-ai-proxy/translators/conformance/workload"
)

func TestTokensComeBackAsTheyWereMade(t *testing.T) {
	for _, token := range []string{"", "RXFDTEFVREU=", "a+b/c9==", "gAAAAB-x_y==", "SIGdbx", "with spaces, ü", "AAA", "Z", "ZZZZ", "=", "====", Prefix} {
		for _, whose := range []Name{Google, Anthropic, "a", "ab", "abc", "abcd", "azure0f9"} {
			marked := Text(whose, "format", token)
			if !strings.HasPrefix(marked, Prefix) || len(marked)%4 != 0 {
				t.Errorf("%s of %s: the mark is %s", token, whose, marked)
			}
			if got, own := Of(marked, "format"); got != whose || own != token {
				t.Errorf("%s of %s: came back as %q of %s", token, whose, own, got)
			}
		}
	}
}

// TestMarkedTokensSurviveSDKsThatDecodeThem: Google's SDKs keep a thoughtSignature as
// bytes, and the one for Python writes them in the alphabet for URLs.
func TestMarkedTokensSurviveSDKsThatDecodeThem(t *testing.T) {
	for _, token := range []string{"a+b/cw==", "EqQBCkYIBxgCKkA//+8=", "gAAAAB-x_y==", "SIGdbx"} {
		raw, err := base64.StdEncoding.DecodeString(Text(Anthropic, Google, token))
		if err != nil {
			t.Fatalf("%s: %v", token, err)
		}
		for _, alphabet := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			if got, own := Of(alphabet.EncodeToString(raw), Google); got != Anthropic || own != token {
				t.Errorf("%s came back as %q of %s", token, own, got)
			}
		}
	}
}

func TestTokensWithoutMarkAreTheFormatsOwn(t *testing.T) {
	if got := Text(Google, Google, "sig"); got != "sig" {
		t.Errorf("Google's own token in Google's format became %s", got)
	}
	if whose, token := Of("sig", Google); whose != Google || token != "sig" {
		t.Errorf("got %q of %s", token, whose)
	}
}

func TestBrokenMarksAreNobodys(t *testing.T) {
	for _, token := range []string{Prefix, Prefix + "0", Prefix + "0ZZZZ", Prefix + "0google", Prefix + "XgoogleZZ", Prefix + "0google__", Prefix + "3googleZZ", Prefix + "TgoogleZZ!!!!"} {
		if whose, own := Of(token, Google); whose != Unknown || own != "" {
			t.Errorf("%s: got %q of %q", token, own, whose)
		}
	}
}

func FuzzOf(f *testing.F) {
	f.Add(Prefix+"0google!", "x")
	f.Add(Text(Google, Anthropic, "abc"), "google")
	f.Fuzz(func(t *testing.T, token, name string) {
		defer workload.Linear(t, len(token)+len(name))()
		Of(token, Anthropic)
		for _, c := range name {
			if !('a' <= c && c <= 'z' || '0' <= c && c <= '9') {
				return
			}
		}
		if name == "" || name == string(Anthropic) {
			return
		}
		if whose, own := Of(Text(Name(name), Anthropic, token), Anthropic); string(whose) != name || own != token {
			t.Errorf("%q of %s came back as %q of %s", token, name, own, whose)
		}
	})
}
