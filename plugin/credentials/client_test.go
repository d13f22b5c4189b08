package credentials

import (
	"net/http"
	"strings"
	"testing"

	"go-ai-proxy/translators/conformance/workload"
)

func TestHeadersOfTheClientEndAtTheGateway(t *testing.T) {
	gone := []string{
		"Authorization", "Proxy-Authorization", "apikey", "api-key", "x-api-key", "x-goog-api-key", "Cookie",
		"X-Consumer-ID", "X-Consumer-Username", "X-Consumer-Groups", "X-Credential-Identifier", "X-Anonymous-Consumer",
		"X-Authenticated-Userid", "X-Forwarded-For", "X-Forwarded-Prefix", "X-Real-IP", "Forwarded", "Via",
		"X-Kong-Request-Id", "Kong-Debug", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256",
		"X-Go-AI-Proxy-Token", "Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
		"Sec-WebSocket-Protocol", "Sec-WebSocket-Key", "X-Hop", "X-Goog-User-Project", "Ocp-Apim-Subscription-Key",
	}
	stay := []string{
		"Content-Type", "Accept", "User-Agent", "anthropic-beta", "anthropic-version", "OpenAI-Beta", "OpenAI-Organization",
		"x-goog-api-client", "X-Stainless-Lang", "X-Amzn-Bedrock-GuardrailIdentifier", "traceparent", "Idempotency-Key",
	}
	h := http.Header{}
	for _, name := range append(append([]string(nil), gone...), stay...) {
		h.Set(name, "v")
	}
	h.Set("Connection", "keep-alive, x-hop")
	h = Forwarded(h, 0)
	for _, name := range gone {
		if _, ok := h[http.CanonicalHeaderKey(name)]; ok {
			t.Errorf("%s goes upstream", name)
		}
	}
	for _, name := range stay {
		if h.Get(name) == "" {
			t.Errorf("%s is lost", name)
		}
	}
	if len(h) != len(stay) {
		t.Errorf("left over: %v", h)
	}
}

func TestTablesAreInTheFormThatIsCompared(t *testing.T) {
	for name := range clientOnly {
		if http.CanonicalHeaderKey(name) != name {
			t.Errorf("%s is not canonical", name)
		}
	}
	for _, p := range clientOnlyPrefixes {
		if http.CanonicalHeaderKey(p+"X") != p+"X" {
			t.Errorf("%s is not canonical", p)
		}
	}
	for name := range clientOnlyQuery {
		if strings.ToLower(name) != name {
			t.Errorf("%s is not lower case", name)
		}
	}
}

func TestQueryOfTheClientLosesItsCredentials(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"alt=sse&api-version=1", "alt=sse&api-version=1"},
		{"a=1&key=k&b=2", "a=1&b=2"},
		{"apikey=k", ""},
		{"API%2DKey=k&x=%2f", "x=%2f"},
		{"X-Amz-Signature=s&X-Goog-Credential=c&access_token=t&monkey=1", "monkey=1"},
		{"%zz=1&key", "%zz=1"},
	} {
		if got := StripClientQuery(c.in); got != c.want {
			t.Errorf("%q: wanted %q, got %q", c.in, c.want, got)
		}
	}
}

func FuzzQueryEditsTouchOnlyTheirPairs(f *testing.F) {
	f.Add("a=1&apikey=2&b=%zz", "apikey")
	f.Add("&&=&apikey", "")
	f.Add("&", "0")
	f.Add("a%70ikey=1;b=2", "apikey")
	f.Fuzz(func(t *testing.T, raw, name string) {
		defer workload.Linear(t, len(raw)+len(name))()
		got := setQuery(raw, name, "new=pair")
		kept, ok := strings.CutSuffix(got, "new=pair")
		if !ok {
			t.Fatalf("%q: the pair is missing in %q", raw, got)
		}
		var want []string
		for pair := range strings.SplitSeq(raw, "&") {
			if pairName(pair) != name {
				want = append(want, pair)
			}
		}
		if kept != "" {
			kept = kept[:len(kept)-1] // the separator before ours
		}
		if kept != strings.Join(want, "&") {
			t.Fatalf("%q without %q: wanted %q, got %q", raw, name, want, kept)
		}
	})
}

func BenchmarkForwarded(b *testing.B) {
	from := http.Header{"Authorization": {"x"}, "Content-Type": {"application/json"}, "X-Forwarded-For": {"x"}, "User-Agent": {"x"}}
	b.ReportAllocs()
	for b.Loop() {
		Forwarded(from, 4)
	}
}
