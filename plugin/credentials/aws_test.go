package credentials

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go-ai-proxy/translators"
	"go-ai-proxy/translators/mock"
	"go-ai-proxy/translators/target"
)

// verified returns the signature of what a server received.
func verified(r *http.Request, body []byte, secret, region string) (*mock.SigV4, error) {
	s, err := mock.ReadSigV4(r.Header)
	if err != nil {
		return nil, err
	}
	if s.Region != region || s.Service != "bedrock" {
		return nil, fmt.Errorf("scope %s/%s", s.Region, s.Service)
	}
	return s, s.Verify(r, body, secret, time.Now())
}

// signatureOf is the signature of out.
func signatureOf(t *testing.T, out *Outgoing) *mock.SigV4 {
	t.Helper()
	s, err := mock.ReadSigV4(out.Header)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func bedrock(b target.Bedrock) *target.Target {
	return &target.Target{Provider: "bedrock", Options: &target.Options{Bedrock: b}}
}

// send carries out over real HTTP to a server that stands for every host, and
// returns what that server received.
func send(t *testing.T, out *Outgoing) (*http.Request, []byte) {
	t.Helper()
	var got *http.Request
	var body []byte
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
	}))
	defer srv.Close()
	tr := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, srv.Listener.Addr().String())
	}}
	defer tr.CloseIdleConnections()
	req := &http.Request{Method: out.Method, URL: out.URL, Header: out.Header.Clone(), Body: io.NopCloser(strings.NewReader(joined(out.Body)))}
	req.Header.Set("Accept-Encoding", "identity") // changed after signing
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return got, body
}

func joined(pieces [][]byte) string {
	var b strings.Builder
	for _, p := range pieces {
		b.Write(p)
	}
	return b.String()
}

const (
	testSecret = "secret/of+the=tests"
	runtime    = "http://bedrock-runtime.us-east-1.amazonaws.com"
)

var staticKeys = Config{AWSAccessKeyID: "AKIDTEST", AWSSecretAccessKey: testSecret}

func TestSignatureHoldsForWhatTheServerReceives(t *testing.T) {
	clearCloudEnv(t)
	for _, c := range []struct{ name, method, url string }{
		{"plain id", "POST", runtime + "/model/amazon.nova-pro/converse"},
		{"version in the id", "POST", runtime + "/model/meta.llama3-70b-instruct-v1%3A0/converse-stream"},
		{"colon as it is", "POST", runtime + "/model/meta.llama3-70b-instruct-v1:0/converse"},
		{"ARN", "POST", runtime + "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.anthropic.claude/invoke"},
		{"all kinds of characters", "POST", runtime + "/model/a%20b~c%7Ed%C3%A4%25$&'()*+,;=@/converse"},
		{"no path", "GET", runtime},
		{"query", "GET", runtime + "/model-invocation-jobs?statusEquals=Completed&b=2&a=x%20y&a=%2F+z&empty&%C3%A4=1"},
		{"default port", "POST", runtime + ":80/model/m/converse"},
		{"other port", "POST", "http://localhost:8080/model/m/converse"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := mustSource(t, staticKeys, "bedrock", nil, alone())
			out := outgoing(t, c.url)
			out.Method = c.method
			if c.method == "POST" {
				out.Body = [][]byte{[]byte(`{"a":`), nil, []byte(`1}`)}
			}
			out.Header = http.Header{
				"Content-Type": {"application/json"}, "User-Agent": {"any"}, "X-Amzn-Bedrock-Guardrailidentifier": {" a  b "},
				// What a boto3 client signed for its own key.
				"Authorization": {"AWS4-HMAC-SHA256 Credential=other"}, "X-Amz-Date": {"20000101T000000Z"}, "X-Amz-Security-Token": {"other"},
			}
			apply(t, s, bedrock(target.Bedrock{AWSRegion: "us-east-1"}), out)
			r, body := send(t, out)
			signature, err := verified(r, body, testSecret, "us-east-1")
			if err != nil {
				t.Fatal(err)
			}
			if signature.AccessKey != "AKIDTEST" || signature.SessionToken != "" {
				t.Fatalf("got %+v", signature)
			}
		})
	}
}

func TestVerifierSeesAWrongSignature(t *testing.T) {
	clearCloudEnv(t)
	out := outgoing(t, runtime+"/model/m%3A0/converse")
	out.Body = [][]byte{[]byte("{}")}
	apply(t, mustSource(t, staticKeys, "bedrock", nil, alone()), bedrock(target.Bedrock{AWSRegion: "us-east-1"}), out)
	r, body := send(t, out)
	for name, change := range map[string]func(){
		"body":   func() { body = []byte("{} ") },
		"path":   func() { r.RequestURI = "/model/m:0/converse" },
		"method": func() { r.Method = "PUT" },
		"host":   func() { r.Host = "bedrock-runtime.eu-west-1.amazonaws.com" },
	} {
		before, was := *r, body
		change()
		if _, err := verified(r, body, testSecret, "us-east-1"); err == nil {
			t.Errorf("another %s passes", name)
		}
		*r, body = before, was
	}
}

func TestRegionComesFromTheOptionThenTheEnvironment(t *testing.T) {
	clearCloudEnv(t)
	s := mustSource(t, staticKeys, "bedrock", nil, alone())
	scope := func(region string) (string, error) {
		out := outgoing(t, runtime)
		err := s.Apply(t.Context(), bedrock(target.Bedrock{AWSRegion: region}), out)
		if err != nil {
			return "", err
		}
		return signatureOf(t, out).Region, nil
	}
	if _, err := scope(""); err == nil || !strings.Contains(err.Error(), "aws_region: must be set") {
		t.Fatalf("got %v", err)
	}
	if _, err := scope("evil.example.com/"); err == nil || !strings.Contains(err.Error(), "aws_region") {
		t.Fatalf("got %v", err)
	}
	want := func(option, region string) {
		t.Helper()
		if got, err := scope(option); got != region || err != nil {
			t.Fatalf("wanted %s, got %s, %v", region, got, err)
		}
	}
	t.Setenv("AWS_DEFAULT_REGION", "eu-west-3")
	want("", "eu-west-3")
	t.Setenv("AWS_REGION", "eu-west-2")
	want("", "eu-west-2")
	want("eu-west-1", "eu-west-1")
}

// signWith applies the default chain once and returns the access key and the
// session token that signed.
func signWith(t *testing.T, s *Source, tt *target.Target, secret string) (key, token string) {
	t.Helper()
	out := outgoing(t, runtime+"/model/m%3A0/converse")
	apply(t, s, tt, out)
	r, body := send(t, out)
	signature, err := verified(r, body, secret, "us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	return signature.AccessKey, signature.SessionToken
}

func TestDefaultChainFindsKeys(t *testing.T) {
	// One server is STS, ECS and EC2's metadata service.
	var asked atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		keys := `{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"AKID","SecretAccessKey":"` + testSecret + `","Token":"session","Expiration":"2099-01-01T00:00:00Z"}`
		switch {
		case r.URL.Path == "/ecs" && r.Header.Get("Authorization") == "task":
			fmt.Fprint(w, keys)
		case r.URL.Path == "/latest/api/token":
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
			fmt.Fprint(w, "imds")
		case r.URL.Path == "/latest/meta-data/iam/security-credentials/":
			fmt.Fprint(w, "role")
		case r.URL.Path == "/latest/meta-data/iam/security-credentials/role" && r.Header.Get("X-Aws-Ec2-Metadata-Token") == "imds":
			fmt.Fprint(w, keys)
		case r.PostFormValue("Action") == "AssumeRoleWithWebIdentity" && r.PostFormValue("WebIdentityToken") == "web":
			fmt.Fprint(w, assumed("AssumeRoleWithWebIdentity", "AKID", testSecret, "session"))
		default:
			http.NotFound(w, r)
		}
	}))
	defer srv.Close()
	for name, set := range map[string]func(t *testing.T) (token string){
		"environment": func(t *testing.T) string {
			t.Setenv("AWS_ACCESS_KEY_ID", "AKID")
			t.Setenv("AWS_SECRET_ACCESS_KEY", testSecret)
			return ""
		},
		"environment with a session": func(t *testing.T) string {
			t.Setenv("AWS_ACCESS_KEY_ID", "AKID")
			t.Setenv("AWS_SECRET_ACCESS_KEY", testSecret)
			t.Setenv("AWS_SESSION_TOKEN", "session")
			return "session"
		},
		"profile": func(t *testing.T) string {
			text := "[other]\naws_access_key_id = AKID\naws_secret_access_key = " + testSecret + "\n"
			if err := os.WriteFile(os.Getenv("AWS_SHARED_CREDENTIALS_FILE"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("AWS_PROFILE", "other")
			return ""
		},
		"container": func(t *testing.T) string {
			t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", srv.URL+"/ecs")
			t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "task")
			return "session"
		},
		"web identity": func(t *testing.T) string {
			file := t.TempDir() + "/token"
			if err := os.WriteFile(file, []byte("web"), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/r")
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file)
			t.Setenv("AWS_ENDPOINT_URL_STS", srv.URL)
			return "session"
		},
		"instance metadata": func(t *testing.T) string {
			t.Setenv("AWS_EC2_METADATA_DISABLED", "false")
			t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", srv.URL)
			return "session"
		},
	} {
		t.Run(name, func(t *testing.T) {
			clearCloudEnv(t)
			want, env := set(t), alone()
			t.Setenv("AWS_REGION", "us-east-1")
			s := mustSource(t, Config{}, "bedrock", nil, env)
			key, token := signWith(t, s, bedrock(target.Bedrock{}), testSecret)
			if key != "AKID" || token != want {
				t.Fatalf("key %q, session token %q", key, token)
			}
			n := asked.Load()
			signWith(t, s, bedrock(target.Bedrock{}), testSecret)
			signWith(t, mustSource(t, Config{}, "bedrock", nil, env), bedrock(target.Bedrock{}), testSecret)
			if asked.Load() != n {
				t.Fatal("credentials are loaded per request or per source")
			}
		})
	}
}

func TestConfiguredKeysBeatTheEnvironment(t *testing.T) {
	clearCloudEnv(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "env")
	t.Setenv("AWS_SESSION_TOKEN", "env")
	tt := bedrock(target.Bedrock{AWSRegion: "us-east-1"})
	key, token := signWith(t, mustSource(t, staticKeys, "bedrock", nil, alone()), tt, testSecret)
	if key != "AKIDTEST" || token != "" {
		t.Fatalf("key %q, session token %q", key, token)
	}
	key, _ = signWith(t, mustSource(t, Config{AWSSecretAccessKey: testSecret}, "bedrock", nil, alone()), tt, testSecret)
	if key != "AKIDENV" {
		t.Fatalf("key %q", key)
	}
}

func TestNoKeysAnywhereIsAnError(t *testing.T) {
	clearCloudEnv(t)
	s := mustSource(t, Config{}, "bedrock", nil, alone())
	out := outgoing(t, runtime)
	err := s.Apply(t.Context(), bedrock(target.Bedrock{AWSRegion: "us-east-1"}), out)
	if err == nil || !strings.Contains(err.Error(), "AWS default chain") || len(out.Header) != 0 {
		t.Fatalf("got %v, header %v", err, out.Header)
	}
}

// assumed is an answer of STS.
func assumed(action, key, secret, token string) string {
	return fmt.Sprintf(`<%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult><AssumedRoleUser><AssumedRoleId>A:s</AssumedRoleId><Arn>arn:aws:sts::1:assumed-role/r/s</Arn></AssumedRoleUser><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials></%[1]sResult></%[1]sResponse>`,
		action, key, secret, token, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
}

func stsCloud() *cloud {
	c := &cloud{}
	c.handler = func(w http.ResponseWriter, _ *http.Request) {
		n := len(c.requests())
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprint(w, assumed("AssumeRole", fmt.Sprintf("ASIA%d", n), testSecret, fmt.Sprintf("token-%d", n)))
	}
	return c
}

func TestRoleIsAssumedOnceAndRenewedAhead(t *testing.T) {
	clearCloudEnv(t)
	role := bedrock(target.Bedrock{AWSRegion: "us-east-1", AWSAssumeRoleARN: "arn:aws:iam::1:role/r", AWSSTSEndpointURL: "http://sts.test"})
	key := func(s *Source) string {
		out := outgoing(t, runtime)
		apply(t, s, role, out)
		signature := signatureOf(t, out)
		return signature.AccessKey + " " + signature.SessionToken
	}
	synctest.Test(t, func(t *testing.T) {
		c, env := stsCloud(), alone()
		s := mustSource(t, staticKeys, "bedrock", c.client(), env)
		s.Warm(role)
		synctest.Wait()
		if n := len(c.requests()); n != 1 {
			t.Fatalf("warming asked %d times", n)
		}
		for _, s := range []*Source{s, mustSource(t, staticKeys, "bedrock", c.client(), env)} {
			if got := key(s); got != "ASIA1 token-1" {
				t.Fatalf("got %s", got)
			}
		}
		got := c.requests()
		if len(got) != 1 || !strings.HasPrefix(got[0].url, "http://sts.test") || got[0].form.Get("Action") != "AssumeRole" ||
			got[0].form.Get("RoleArn") != "arn:aws:iam::1:role/r" || got[0].form.Get("RoleSessionName") != "kong" ||
			!strings.Contains(got[0].header.Get("Authorization"), "Credential=AKIDTEST/") {
			t.Fatalf("got %d: %+v", len(got), got[0])
		}
		time.Sleep(56 * time.Minute)
		if got := key(s); got != "ASIA1 token-1" {
			t.Fatalf("got %s", got)
		}
		synctest.Wait()
		if got := key(s); got != "ASIA2 token-2" {
			t.Fatalf("got %s", got)
		}
		time.Sleep(2 * time.Hour)
		if got := key(s); got != "ASIA3 token-3" {
			t.Fatalf("an expired role signed: %s", got)
		}
	})
}

func TestRolesOfDifferentRequestsAreApart(t *testing.T) {
	clearCloudEnv(t)
	c := stsCloud()
	s := mustSource(t, staticKeys, "bedrock", c.client(), alone())
	seen := map[string]bool{}
	for _, b := range []target.Bedrock{
		{AWSRegion: "us-east-1", AWSAssumeRoleARN: "arn:aws:iam::1:role/a"},
		{AWSRegion: "us-east-1", AWSAssumeRoleARN: "arn:aws:iam::1:role/b"},
		{AWSRegion: "eu-west-1", AWSAssumeRoleARN: "arn:aws:iam::1:role/b"},
		{AWSRegion: "us-east-1", AWSAssumeRoleARN: "arn:aws:iam::1:role/b", AWSRoleSessionName: "sess"},
	} {
		out := outgoing(t, runtime)
		apply(t, s, bedrock(b), out)
		seen[out.Header.Get("X-Amz-Security-Token")] = true
	}
	if len(seen) != 4 {
		t.Fatalf("wanted four sessions, got %v", seen)
	}
	if u := c.requests()[2].url; !strings.HasPrefix(u, "https://sts.eu-west-1.amazonaws.com/") {
		t.Fatalf("STS of another region: %s", u)
	}
	if name := c.requests()[3].form.Get("RoleSessionName"); name != "sess" {
		t.Fatalf("session name %q", name)
	}
}

func TestRoleFromATemplateCannotBreakOut(t *testing.T) {
	clearCloudEnv(t)
	s := mustSource(t, staticKeys, "bedrock", (&cloud{}).client(), alone())
	for want, b := range map[string]target.Bedrock{
		"aws_assume_role_arn":   {AWSAssumeRoleARN: "arn:aws:iam::1:role/r&Action=x"},
		"aws_role_session_name": {AWSAssumeRoleARN: "arn:aws:iam::1:role/r", AWSRoleSessionName: "a b"},
		"aws_sts_endpoint_url":  {AWSAssumeRoleARN: "arn:aws:iam::1:role/r", AWSSTSEndpointURL: "file:///etc/passwd"},
	} {
		b.AWSRegion = "us-east-1"
		if err := s.Apply(t.Context(), bedrock(b), outgoing(t, runtime)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestErrorOfSTSIsItsCodeAlone(t *testing.T) {
	clearCloudEnv(t)
	c := &cloud{handler: func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(403)
		fmt.Fprint(w, `<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>canonical: `+canary+`</Message></Error></ErrorResponse>`)
	}}
	s := mustSource(t, staticKeys, "bedrock", c.client(), alone())
	role := bedrock(target.Bedrock{AWSRegion: "us-east-1", AWSAssumeRoleARN: "arn:aws:iam::1:role/r"})
	err := s.Apply(t.Context(), role, outgoing(t, runtime))
	if err == nil || err.Error() != "credentials of bedrock: AWS AssumeRole: SignatureDoesNotMatch" {
		t.Fatalf("got %v", err)
	}
}

func TestBedrockKeyIsABearerToken(t *testing.T) {
	clearCloudEnv(t)
	auth := Config{HeaderName: "Authorization", HeaderValue: "Bearer bedrock-api-key"}
	wantAuthorization(t, mustSource(t, auth, "bedrock", nil, alone()), "Bearer bedrock-api-key")
	auth.AWSAccessKeyID, auth.AWSSecretAccessKey = "AKIDTEST", testSecret
	key, _ := signWith(t, mustSource(t, auth, "bedrock", nil, alone()), bedrock(target.Bedrock{AWSRegion: "us-east-1"}), testSecret)
	if key != "AKIDTEST" {
		t.Fatal("configured keys do not sign")
	}
}

func BenchmarkSigV4(b *testing.B) {
	s := mustSource(b, staticKeys, "bedrock", nil, alone())
	out := outgoing(b, runtime+"/model/m%3A0/converse")
	out.Body = [][]byte{make([]byte, 1<<10)}
	tt := bedrock(target.Bedrock{AWSRegion: "us-east-1"})
	b.ReportAllocs()
	for b.Loop() {
		apply(b, s, tt, out)
	}
}

func TestKeyOfTheEnvironmentIsUsedWhereNothingIsConfigured(t *testing.T) {
	clearCloudEnv(t)
	t.Setenv("AWS_BEARER_TOKEN_BEDROCK", "env-key")
	wantAuthorization(t, mustSource(t, Config{}, "bedrock", nil, alone()), "Bearer env-key")
	own := Config{HeaderName: "Authorization", HeaderValue: "Bearer own-key"}
	wantAuthorization(t, mustSource(t, own, "bedrock", nil, alone()), "Bearer own-key")
	out := outgoing(t, "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse")
	s := mustSource(t, Config{AWSAccessKeyID: "AKID", AWSSecretAccessKey: "secret"}, "bedrock", nil, alone())
	if err := s.Apply(t.Context(), bedrock(target.Bedrock{AWSRegion: "us-east-1"}), out); err != nil {
		t.Fatal(err)
	}
	if got := signatureOf(t, out); got.Service != "bedrock" || got.AccessKey != "AKID" {
		t.Errorf("configured keys: signed as %+v", got)
	}
	t.Setenv("AWS_BEARER_TOKEN_BEDROCK", "a\nb")
	if _, err := newSource(Config{}, translators.Lookup("bedrock"), nil, alone()); err == nil || !strings.Contains(err.Error(), "AWS_BEARER_TOKEN_BEDROCK") {
		t.Errorf("a key with a line end: %v", err)
	}
}

func TestMantleIsAServiceOfItsOwn(t *testing.T) {
	clearCloudEnv(t)
	const at = "https://bedrock-mantle.us-west-2.api.aws/v1/responses"
	s := mustSource(t, Config{AWSAccessKeyID: "AKID", AWSSecretAccessKey: "secret"}, "bedrock", nil, alone())
	to := bedrock(target.Bedrock{AWSRegion: "us-west-2"})
	to.Options.UpstreamURL = at
	out := outgoing(t, at)
	if err := s.Apply(t.Context(), to, out); err != nil {
		t.Fatal(err)
	}
	if got := signatureOf(t, out); got.Service != "bedrock-mantle" || got.Region != "us-west-2" {
		t.Errorf("signed for %s in %s", got.Service, got.Region)
	}
}
