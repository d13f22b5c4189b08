package credentials

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"go-ai-proxy/test/leaks"
	"go-ai-proxy/translators"
	"go-ai-proxy/translators/target"
)

func TestMain(m *testing.M) { leaks.VerifyTestMain(m) }

// cloud answers for every host without a socket, and remembers what it was
// asked. It works inside a synctest bubble, where time is the test's.
type cloud struct {
	mu      sync.Mutex
	handler http.HandlerFunc
	asked   []asked
}

type asked struct {
	method, url string
	header      http.Header
	form        url.Values
	body        string
}

func (c *cloud) RoundTrip(r *http.Request) (*http.Response, error) {
	a := asked{method: r.Method, url: r.URL.String(), header: r.Header}
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		a.body = string(b)
		if a.form, err = url.ParseQuery(a.body); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	c.asked = append(c.asked, a)
	handler := c.handler
	c.mu.Unlock()
	w := httptest.NewRecorder()
	done := make(chan struct{})
	go func() {
		defer close(done)
		handler(w, r)
	}()
	<-done
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

func (c *cloud) requests() []asked {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]asked(nil), c.asked...)
}

func (c *cloud) client() *http.Client { return &http.Client{Transport: c} }

// tokens answers as a token endpoint: tok-1, tok-2 … that live for seconds,
// given as raw JSON members.
func tokens(members string) *cloud {
	c := &cloud{}
	c.handler = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":"tok-%d","token_type":"Bearer",%s}`, len(c.requests()), members)
	}
	return c
}

func alone() *environment {
	return &environment{tokens: newRegistry[[]string](8), keys: newRegistry[aws.Credentials](8)}
}

func mustSource(t testing.TB, auth Config, provider string, hc *http.Client, env *environment) *Source {
	t.Helper()
	s, err := newSource(auth, translators.Lookup(provider), hc, env)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func outgoing(t testing.TB, raw string) *Outgoing {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return &Outgoing{Method: "POST", URL: u, Header: http.Header{}, ClientHeader: http.Header{}}
}

func apply(t testing.TB, s *Source, tt *target.Target, out *Outgoing) {
	t.Helper()
	if err := s.Apply(context.Background(), tt, out); err != nil {
		t.Fatal(err)
	}
}

// wantAuthorization applies s to a new request and compares the header.
func wantAuthorization(t testing.TB, s *Source, want string) {
	t.Helper()
	out := outgoing(t, "https://example.com/v1")
	apply(t, s, nil, out)
	if got := out.Header.Get("Authorization"); got != want {
		t.Fatalf("Authorization: wanted %q, got %q", want, got)
	}
}

// clearCloudEnv takes away what the machine under test may have set.
func clearCloudEnv(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		"AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST",
		"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "GCP_SERVICE_ACCOUNT",
		"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE",
		"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_CA_BUNDLE",
		"AWS_BEARER_TOKEN_BEDROCK",
	} {
		t.Setenv(name, "")
	}
	dir := t.TempDir()
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", dir+"/credentials")
	t.Setenv("AWS_CONFIG_FILE", dir+"/config")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}
