package credentials

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"go-ai-proxy/translators"
	"go-ai-proxy/translators/target"
)

func TestSecretsAreWhatTheSourcePutOnARequest(t *testing.T) {
	for _, c := range []struct {
		name string
		auth Config
		want []string
	}{
		{"none", Config{}, nil},
		{"a bearer token without its scheme", Config{HeaderName: "Authorization", HeaderValue: "Bearer sk-12345678"}, []string{"sk-12345678"}},
		{"a header of any name", Config{HeaderName: "X-Own", HeaderValue: "sk-12345678"}, []string{"sk-12345678"}},
		{"a parameter", Config{ParamName: "key", ParamValue: "sk-12345678", ParamLocation: "query"}, []string{"sk-12345678"}},
		{"too short to tell", Config{HeaderName: "X-Own", HeaderValue: "sk"}, nil},
	} {
		s, err := New(c.auth, translators.Lookup("openai"), nil)
		if err != nil {
			t.Fatal(err)
		}
		out := &Outgoing{URL: &url.URL{}, Header: http.Header{"User-Agent": {"some agent"}}}
		if err := s.Apply(context.Background(), &target.Target{}, out); err != nil {
			t.Fatal(err)
		}
		if got := s.AppendSecrets(nil, out.Header); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}
