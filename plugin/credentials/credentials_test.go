package credentials

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"go-ai-proxy/translators"
)

func TestHeaderIsTheClientsOnlyWhereOverrideIsAllowed(t *testing.T) {
	const own, clients = "Bearer own", "Bearer client"
	for _, c := range []struct {
		name, provider string
		override, sent bool
		want           string
	}{
		{"override, nothing sent", "openai", true, false, own},
		{"override, sent", "openai", true, true, clients},
		{"no override, nothing sent", "openai", false, false, own},
		{"no override, sent", "openai", false, true, own},
		{"gemini ignores override", "gemini", true, true, own},
		{"huggingface ignores override", "huggingface", true, true, own},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := mustSource(t, Config{HeaderName: "authorization", HeaderValue: own, AllowOverride: c.override}, c.provider, nil, alone())
			out := outgoing(t, "https://example.com/v1?a=1")
			if c.sent {
				out.ClientHeader.Set("Authorization", clients)
			}
			apply(t, s, nil, out)
			if got := out.Header.Get("Authorization"); got != c.want || len(out.Header) != 1 {
				t.Fatalf("wanted %q alone, got %v", c.want, out.Header)
			}
			if out.URL.RawQuery != "a=1" {
				t.Fatalf("the query changed: %q", out.URL.RawQuery)
			}
		})
	}
}

func TestOverrideLetsNoOtherCredentialThrough(t *testing.T) {
	s := mustSource(t, Config{HeaderName: "x-api-key", HeaderValue: "own", AllowOverride: true}, "anthropic", nil, alone())
	out := outgoing(t, "https://example.com")
	out.ClientHeader = http.Header{"Authorization": {"Bearer client"}, "Cookie": {"c"}}
	apply(t, s, nil, out)
	if len(out.Header) != 1 || out.Header.Get("X-Api-Key") != "own" {
		t.Fatalf("got %v", out.Header)
	}
}

func TestQueryParameterIsTheClientsOnlyWhereOverrideIsAllowed(t *testing.T) {
	for _, c := range []struct {
		name, query, client string
		override            bool
		want                string
	}{
		{"nothing sent", "", "", false, "api%26key=own%2Fkey"},
		{"other parameters stay as they are", "b=%2f&a=1", "", false, "b=%2f&a=1&api%26key=own%2Fkey"},
		{"no override, sent", "a=1&api%26key=wrong&b=2", "api%26key=wrong", false, "a=1&b=2&api%26key=own%2Fkey"},
		{"override, sent", "a=1", "x=y&api%26key=wrong", true, "a=1&api%26key=wrong"},
		{"override, not stripped before", "api%26key=wrong", "api%26key=wrong", true, "api%26key=wrong"},
		{"override, nothing sent", "a=1", "x=y", true, "a=1&api%26key=own%2Fkey"},
	} {
		t.Run(c.name, func(t *testing.T) {
			auth := Config{ParamName: "api&key", ParamValue: "own/key", ParamLocation: "query", AllowOverride: c.override}
			s := mustSource(t, auth, "llama2", nil, alone())
			out := outgoing(t, "https://example.com/raw?"+c.query)
			out.ClientQuery = c.client
			apply(t, s, nil, out)
			if out.URL.RawQuery != c.want || len(out.Header) != 0 {
				t.Fatalf("wanted %q, got %q %v", c.want, out.URL.RawQuery, out.Header)
			}
		})
	}
}

func TestBodyParameterIsTheClientsOnlyWhereOverrideIsAllowed(t *testing.T) {
	none := func(string) []byte { return nil }
	sent := func(name string) []byte { return []byte(`{"of":"` + name + `"}`) }
	for _, c := range []struct {
		name     string
		override bool
		client   func(string) []byte
		want     string
	}{
		{"nothing sent", true, none, `"own\"key"`},
		{"override, sent", true, sent, `{"of":"apikey"}`},
		{"no override, sent", false, sent, `"own\"key"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			auth := Config{ParamName: "apikey", ParamValue: `own"key`, ParamLocation: "body", AllowOverride: c.override}
			s := mustSource(t, auth, "openai", nil, alone())
			name, value := s.BodyParam(c.client)
			if name != "apikey" || string(value) != c.want {
				t.Fatalf("got %q: %s", name, value)
			}
			out := outgoing(t, "https://example.com")
			apply(t, s, nil, out)
			if out.URL.RawQuery != "" || len(out.Header) != 0 {
				t.Fatalf("it also went elsewhere: %q %v", out.URL.RawQuery, out.Header)
			}
		})
	}
	s := mustSource(t, Config{HeaderName: "k", HeaderValue: "v"}, "openai", nil, alone())
	if name, _ := s.BodyParam(sent); name != "" {
		t.Fatalf("a body parameter out of nothing: %q", name)
	}
}

func TestHeaderAndParameterAreBothApplied(t *testing.T) {
	s := mustSource(t, Config{HeaderName: "k", HeaderValue: "h", ParamName: "p", ParamValue: "q", ParamLocation: "query"}, "openai", nil, alone())
	out := outgoing(t, "https://example.com")
	apply(t, s, nil, out)
	if out.Header.Get("K") != "h" || out.URL.RawQuery != "p=q" {
		t.Fatalf("got %v %q", out.Header, out.URL.RawQuery)
	}
}

func TestConfigThatCannotWorkIsRefusedWithoutItsValue(t *testing.T) {
	clearCloudEnv(t)
	for _, c := range []struct {
		provider, want string
		auth           Config
	}{
		{"openai", "set together", Config{HeaderValue: canary}},
		{"openai", "set together", Config{HeaderName: "k"}},
		{"openai", "auth.header_name", Config{HeaderName: "a b", HeaderValue: canary}},
		{"openai", "frames the request", Config{HeaderName: "transfer-encoding", HeaderValue: canary}},
		{"openai", "control character", Config{HeaderName: "k", HeaderValue: canary + "\n"}},
		{"openai", "set together", Config{ParamName: "k", ParamValue: canary}},
		{"openai", "query or body", Config{ParamName: "k", ParamValue: canary, ParamLocation: "path"}},
		{"bedrock", "set together", Config{AWSSecretAccessKey: canary}},
		{"azure", "needs auth.azure_client_id", Config{AzureUseManagedIdentity: true, AzureClientSecret: canary}},
		{"gemini", "not a service account key", Config{GCPUseServiceAccount: true, GCPServiceAccountJSON: canary}},
		{"gemini", "not a service account key", Config{GCPUseServiceAccount: true, GCPServiceAccountJSON: `{"type":"` + canary}},
		{"gemini", "type must be", Config{GCPUseServiceAccount: true, GCPServiceAccountJSON: `{"type":"authorized_user"}`}},
		{"gemini", "private_key", Config{GCPUseServiceAccount: true, GCPServiceAccountJSON: `{"type":"service_account","client_email":"e","private_key":"` + canary + `"}`}},
		{"gemini", "auth.gcp_metadata_url", Config{GCPUseServiceAccount: true, GCPMetadataURL: "ftp://" + canary}},
		{"gemini", "user name", Config{GCPUseServiceAccount: true, GCPMetadataURL: "http://u:" + canary + "@h"}},
	} {
		_, err := newSource(c.auth, translators.Lookup(c.provider), nil, alone())
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s %+v: %v", c.provider, c.auth, err)
		}
	}
}

func TestFieldsOfOtherCloudsAreIgnored(t *testing.T) {
	auth := Config{
		HeaderName: "Authorization", HeaderValue: "Bearer own", AWSAccessKeyID: "a", AzureUseManagedIdentity: true,
		AzureClientSecret: "s", GCPUseServiceAccount: true, GCPServiceAccountJSON: "{",
	}
	s := mustSource(t, auth, "openai", (&cloud{}).client(), alone())
	wantAuthorization(t, s, "Bearer own")
}

func TestIdentityReplacesAKeyAndLeavesOtherHeaders(t *testing.T) {
	clearCloudEnv(t)
	for _, c := range []struct {
		header, want string
	}{
		{"api-key", ""}, {"x-api-key", ""}, {"x-goog-api-key", ""}, {"authorization", "Bearer tok-1"},
		{"Ocp-Apim-Subscription-Key", "own"}, {"X-Own", "own"},
	} {
		for provider, auth := range map[string]Config{"azure": {AzureUseManagedIdentity: true}, "gemini": {GCPUseServiceAccount: true}} {
			auth.HeaderName, auth.HeaderValue = c.header, "own"
			s := mustSource(t, auth, provider, tokens(`"expires_in":3600`).client(), alone())
			out := outgoing(t, "https://example.com")
			apply(t, s, nil, out)
			if out.Header.Get(c.header) != c.want || out.Header.Get("Authorization") != "Bearer tok-1" {
				t.Errorf("%s, %s: got %v", provider, c.header, out.Header)
			}
		}
	}
	// A key in the query is one of the two, another parameter is not.
	for param, want := range map[string]string{"key": "", "api-version": "api-version=own"} {
		s := mustSource(t, Config{GCPUseServiceAccount: true, ParamName: param, ParamValue: "own", ParamLocation: "query"}, "gemini", tokens(`"expires_in":3600`).client(), alone())
		out := outgoing(t, "https://example.com")
		apply(t, s, nil, out)
		if out.URL.RawQuery != want {
			t.Errorf("%s: %q", param, out.URL.RawQuery)
		}
	}
}

// canary is looked for wherever something is printed.
const canary = "canary-5ec7e7"

func TestNothingPrintsASecret(t *testing.T) {
	clearCloudEnv(t)
	auth := Config{
		HeaderName: "Authorization", HeaderValue: canary, ParamName: "p", ParamValue: canary, ParamLocation: "query",
		AWSAccessKeyID: canary, AWSSecretAccessKey: canary, AzureClientID: "id", AzureClientSecret: canary, AzureTenantID: "ten",
		GCPServiceAccountJSON: canary, GCPMetadataURL: "http://" + canary, GCPOAuthTokenURL: "http://" + canary,
		AzureUseManagedIdentity: true,
	}
	out := outgoing(t, "https://example.com/?p="+canary)
	out.Header.Set("Authorization", canary)
	out.ClientHeader.Set("Authorization", canary)
	out.ClientQuery = canary
	out.Body = [][]byte{[]byte(canary)}
	values := []any{auth, &auth, struct{ Auth Config }{auth}, []Config{auth}, map[string]Config{"a": auth}, *out, out}
	for _, provider := range []string{"openai", "azure", "bedrock"} {
		s := mustSource(t, auth, provider, nil, alone())
		values = append(values, s, *s)
		// In an unexported field fmt calls no method, but prints a pointer as one.
		if text := fmt.Sprintf("%v %+[1]v %#[1]v", struct{ s *Source }{s}); strings.Contains(text, canary) {
			t.Errorf("a struct with a source prints a secret: %s", text)
		}
	}
	for _, v := range values {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text := fmt.Sprintf(format, v)
			if strings.Contains(text, canary) || strings.Contains(text, fmt.Sprintf("%x", canary)) {
				t.Errorf("%s of %T prints a secret: %s", format, v, text)
			}
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), canary) {
			t.Errorf("JSON of %T holds a secret: %s", v, text)
		}
	}
	if text := fmt.Sprint(auth); !strings.Contains(text, redacted) || !strings.Contains(text, "Authorization") {
		t.Errorf("not fit for a look at the config: %s", text)
	}
}

// An endpoint may quote what it was sent, in any field.
func TestErrorsOfEndpointsHoldNoSecret(t *testing.T) {
	clearCloudEnv(t)
	key, _ := googleTestKey(t)
	for _, answer := range []struct {
		status int
		body   string
	}{
		{400, `{"error":"` + canary + `","error_description":"` + canary + `"}`},
		{401, canary},
		{200, canary},
		{200, `{"access_token":"` + canary + `\n","expires_in":10}`},
		{200, `{"access_token":"` + canary + `"}`},
		{302, ""},
	} {
		c := &cloud{handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://"+canary)
			w.WriteHeader(answer.status)
			fmt.Fprint(w, answer.body)
		}}
		for provider, auth := range map[string]Config{
			"azure":  {AzureUseManagedIdentity: true, AzureClientID: "id", AzureClientSecret: canary, AzureTenantID: "ten"},
			"gemini": {GCPUseServiceAccount: true, GCPServiceAccountJSON: key, GCPOAuthTokenURL: "https://google.test/token?k=" + canary},
		} {
			s := mustSource(t, auth, provider, c.client(), alone())
			err := s.Apply(context.Background(), nil, outgoing(t, "https://example.com"))
			if err == nil {
				t.Errorf("%s accepted %d %s", provider, answer.status, answer.body)
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				if strings.Contains(fmt.Sprintf("%+v", e), canary) {
					t.Errorf("%s, status %d: %v", provider, answer.status, e)
				}
			}
		}
		if n := len(c.requests()); n != 2 {
			t.Errorf("status %d: wanted 2 requests and no redirect followed, got %d", answer.status, n)
		}
	}
}

func TestErrorCodeOfAnEndpointIsTold(t *testing.T) {
	clearCloudEnv(t)
	c := &cloud{handler: func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(401)
		fmt.Fprint(w, `{"error":"invalid_client","error_description":"x"}`)
	}}
	s := mustSource(t, Config{AzureUseManagedIdentity: true}, "azure", c.client(), alone())
	err := s.Apply(context.Background(), nil, outgoing(t, "https://example.com"))
	const want = "credentials of azure: Azure managed identity: token endpoint 169.254.169.254: status 401, invalid_client"
	if err == nil || err.Error() != want {
		t.Fatalf("got %v", err)
	}
}

func headerSource(t testing.TB) (*Source, *Outgoing) {
	s := mustSource(t, Config{HeaderName: "Authorization", HeaderValue: "Bearer own", AllowOverride: true}, "openai", nil, alone())
	return s, outgoing(t, "https://example.com/v1/chat/completions")
}

func TestHeaderAuthAllocatesNothing(t *testing.T) {
	s, out := headerSource(t)
	ctx := context.Background()
	n := testing.AllocsPerRun(100, func() {
		s.Warm(nil)
		if err := s.Apply(ctx, nil, out); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Fatalf("wanted no allocation, got %v", n)
	}
}

func TestWarmTokenAllocatesNothing(t *testing.T) {
	clearCloudEnv(t)
	s := mustSource(t, Config{AzureUseManagedIdentity: true}, "azure", tokens(`"expires_in":3600`).client(), alone())
	out, ctx := outgoing(t, "https://example.com"), context.Background()
	apply(t, s, nil, out)
	n := testing.AllocsPerRun(100, func() {
		s.Warm(nil)
		if err := s.Apply(ctx, nil, out); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Fatalf("wanted no allocation, got %v", n)
	}
}

func BenchmarkHeaderAuth(b *testing.B) {
	s, out := headerSource(b)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Apply(ctx, nil, out); err != nil {
			b.Fatal(err)
		}
	}
}
