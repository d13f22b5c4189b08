package credentials

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"go-ai-proxy/translators"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

func TestLifeOfATokenIsReadHoweverItIsWritten(t *testing.T) {
	for text, want := range map[string]int64{
		`3600`: 3600, `"3600"`: 3600, `1`: 1, `"1"`: 1, `1.9`: 1, `1e300`: maxSeconds, `"99999999999"`: maxSeconds, `"9223372036854775807"`: maxSeconds, `4294967295`: maxSeconds - 1,
		`0`: -1, `0.9`: -1, `-1`: -1, `"0"`: -1, `"-1"`: -1, `""`: -1, `"soon"`: -1, `true`: -1, `null`: -1, `"99999999999999999999"`: -1,
	} {
		got, ok := seconds(jsonedit.MustParse(text))
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%s: %d %v", text, got, ok)
		}
	}
	if _, ok := seconds(nil); ok {
		t.Error("none is one")
	}
}

func TestOnlyAnErrorCodeIsToldOfAnAnswer(t *testing.T) {
	for code, told := range map[string]bool{
		"invalid_client": true, "a": true, "z": true, "_": true, strings.Repeat("a", 40): true,
		"": false, strings.Repeat("a", 41): false, "Invalid": false, "invalid client": false, "a1": false, "`": false, "{": false, "sk-secret": false,
	} {
		if got := strings.Contains(tokenRefused("h", 401, fmt.Appendf(nil, `{"error":%q}`, code)).Error(), ", "); got != told {
			t.Errorf("%q: %v", code, got)
		}
	}
}

func TestLifeInSecondsComesBeforeATime(t *testing.T) {
	for members, want := range map[string]time.Duration{
		`"expires_in":100,"expires_on":"9999999999"`: 100 * time.Second,
		`"expires_in":"100"`:                         100 * time.Second,
		`"expires_on":"946685000"`:                   200 * time.Second, // the bubble's clock begins at 946684800
	} {
		synctest.Test(t, func(t *testing.T) {
			req, err := http.NewRequest("GET", "http://h.test", nil)
			if err != nil {
				t.Fatal(err)
			}
			value, at, err := fetchToken(tokens(members).client(), req)
			if err != nil || value[0] != "Bearer tok-1" || time.Until(at) != want {
				t.Errorf("%s: %v, in %v, %v", members, value, time.Until(at), err)
			}
		})
	}
}

func TestAnswerOfATokenEndpointIsBounded(t *testing.T) {
	for size, fits := range map[int]bool{maxTokenAnswer: true, maxTokenAnswer + 1: false} {
		const frame = `{"access_token":"x","expires_in":10,"p":""}`
		c := &cloud{handler: func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, strings.Replace(frame, `"p":"`, `"p":"`+strings.Repeat("p", size-len(frame)), 1))
		}}
		req, err := http.NewRequest("GET", "http://h.test", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := fetchToken(c.client(), req); (err == nil) != fits {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// TestLeaseEndsBeforeItsCredential: both times in seconds after it was asked for.
func TestLeaseEndsBeforeItsCredential(t *testing.T) {
	began := time.Unix(1000, 0)
	for life, want := range map[int][2]int{3600: {3300, 3590}, 600: {300, 590}, 599: {300, 589}, 400: {200, 390}, 40: {20, 30}, 20: {10, 15}} {
		l := newLease(0, began, began.Add(time.Duration(life)*time.Second))
		if got := [2]int{int(l.renew.Sub(began).Round(time.Second) / time.Second), int(l.unusable.Sub(began) / time.Second)}; got != want {
			t.Errorf("life of %d s: %v, want %v", life, got, want)
		}
		if l.fresh(l.renew) || !l.fresh(l.renew.Add(-1)) || l.usable(l.unusable) || !l.usable(l.unusable.Add(-1)) {
			t.Errorf("life of %d s: the bounds", life)
		}
	}
	forever := newLease(0, began, time.Time{})
	var none *lease[int]
	if !forever.fresh(began) || !forever.usable(began) || none.fresh(began) || none.usable(began) {
		t.Error("no expiry, or no lease")
	}
}

func TestRoleIsWithinTheBoundsOfAWS(t *testing.T) {
	arn := func(n int) string { return "arn:aws:iam::1:role/" + strings.Repeat("r", n-20) }
	for _, c := range []struct {
		arn, session, endpoint string
		ok                     bool
	}{
		{arn(30), "kong", "", true},
		{arn(2048), "kong", "", true},
		{arn(2049), "kong", "", false},
		{"aws:iam::1:role/r", "kong", "", false},
		{"arn:aws:iam::1:role/r r", "kong", "", false},
		{"arn:aws:iam::1:role/a+=,.@-_Z9", "a+=,.@-_Z9", "", true},
		{arn(30), "ab", "", true},
		{arn(30), "a", "", false},
		{arn(30), strings.Repeat("s", 64), "", true},
		{arn(30), strings.Repeat("s", 65), "", false},
		{arn(30), "a/b", "", false},
		{arn(30), "kong", "https://sts.test", true},
		{arn(30), "kong", "sts.test", false},
	} {
		err := checkRole(&target.Bedrock{AWSAssumeRoleARN: c.arn, AWSSTSEndpointURL: c.endpoint}, c.session)
		if (err == nil) != c.ok {
			t.Errorf("%d bytes of role, session %q, endpoint %q: %v", len(c.arn), c.session, c.endpoint, err)
		}
	}
}

func TestRegionIsOneLabel(t *testing.T) {
	clearCloudEnv(t)
	for region, ok := range map[string]bool{"us-east-1": true, strings.Repeat("r", 63): true, strings.Repeat("r", 64): false, "a.b": false, "a/b": false, "": false} {
		got, err := awsRegion(&target.Target{Options: &target.Options{Bedrock: target.Bedrock{AWSRegion: region}}})
		if (err == nil) != ok || ok && got != region {
			t.Errorf("%q: %q %v", region, got, err)
		}
	}
}

func TestWordsHaveTheirLettersAndNoOthers(t *testing.T) {
	for s, want := range map[string]bool{"azAZ09_": true, "-": true, "": true, "`": false, "{": false, "@": false, "[": false, "/": false, ":": false, "a b": false, "é": false} {
		if got := isWord(s, "-"); got != want {
			t.Errorf("%q: %v", s, got)
		}
	}
}

func TestCodeOfAWSIsToldWhenItLooksLikeOne(t *testing.T) {
	t.Setenv("AWS_SESSION_TOKEN", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", canary)
	for code, want := range map[string]string{
		"AccessDenied": "AccessDenied", "Client.Bad_1": "Client.Bad_1", strings.Repeat("c", 64): strings.Repeat("c", 64),
		strings.Repeat("c", 65): "refused", "a b": "refused",
	} {
		if got := awsError(&smithy.GenericAPIError{Code: code, Message: canary}).Error(); got != want {
			t.Errorf("%q: %q", code, got)
		}
	}
	if got := awsError(errors.New("key " + canary + " is bad")).Error(); got != "key REDACTED is bad" {
		t.Errorf("%q", got)
	}
}

func TestKeysExpireWhereTheySaySo(t *testing.T) {
	at := time.Unix(1000, 0)
	if got := expiry(aws.Credentials{CanExpire: true, Expires: at}); got != at {
		t.Errorf("%v", got)
	}
	if got := expiry(aws.Credentials{Expires: at}); !got.IsZero() {
		t.Errorf("%v", got)
	}
}

func TestSessionOfTheDefaultChainIsDroppedWhenItExpires(t *testing.T) {
	clearCloudEnv(t)
	expires := time.Now().Add(time.Hour).Truncate(time.Second)
	task := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"AccessKeyId":"AKID","SecretAccessKey":"s","Token":"session","Expiration":%q}`, expires.UTC().Format(time.RFC3339))
	}))
	defer task.Close()
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", task.URL)
	s := &sigV4{env: alone()}
	if _, err := s.credentials(t.Context(), nil, "us-east-1"); err != nil {
		t.Fatal(err)
	}
	// The SDK takes off some minutes, and we some seconds.
	if at := s.chain("us-east-1").lease.Load().unusable; at.After(expires) || at.Before(expires.Add(-10*time.Minute)) {
		t.Errorf("dropped at %v, expires at %v", at, expires)
	}
}

func TestDefaultPortIsNoPartOfTheSignedHost(t *testing.T) {
	for in, want := range map[string]string{
		"https://h:443": "h", "wss://h:443": "h", "http://h:80": "h", "ws://h:80": "h",
		"https://h:80": "h:80", "http://h:443": "h:443", "https://h:8443": "h:8443", "https://h": "h",
	} {
		scheme, host, _ := strings.Cut(in, "://")
		if got := withoutDefaultPort(scheme, host); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}

func TestBedrockKeyIsABearerTokenWithoutAWSKeys(t *testing.T) {
	for _, c := range []struct {
		auth Config
		want bool
	}{
		{Config{HeaderName: "Authorization", HeaderValue: "Bearer k"}, true},
		{Config{HeaderName: "authorization", HeaderValue: "Bearer k"}, true},
		{Config{HeaderName: "X-Key", HeaderValue: "Bearer k"}, false},
		{Config{HeaderName: "Authorization", HeaderValue: "Basic k"}, false},
		{Config{HeaderName: "Authorization", HeaderValue: "Bearer k", AWSAccessKeyID: "a", AWSSecretAccessKey: "s"}, false},
	} {
		clearCloudEnv(t)
		s := mustSource(t, c.auth, "bedrock", nil, alone())
		if got := s.identity == nil; got != c.want {
			t.Errorf("%s: %v", c.auth.HeaderName, got)
		}
	}
	s := &Source{header: "Authorization"}
	for _, auth := range []Config{{HeaderValue: "Bearer k", AWSAccessKeyID: "a"}, {HeaderValue: "Bearer k", AWSSecretAccessKey: "s"}} {
		if s.isBearerKey(auth) {
			t.Error("an AWS key does not win")
		}
	}
}

func TestHeadersThatFrameARequestCarryNoCredential(t *testing.T) {
	for _, name := range []string{"Host", "content-length", "Connection", "Transfer-Encoding", "TE", "Trailer", "Upgrade"} {
		if _, err := newSource(Config{HeaderName: name, HeaderValue: "v"}, translators.Lookup("openai"), nil, alone()); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for _, auth := range []Config{{ParamName: "p"}, {ParamValue: "v"}, {ParamLocation: "query"}, {ParamName: "p", ParamLocation: "query"}, {ParamValue: "v", ParamLocation: "body"}} {
		if _, err := newSource(auth, translators.Lookup("openai"), nil, alone()); err == nil || !strings.Contains(err.Error(), "set together") {
			t.Errorf("%+v: %v", auth, err)
		}
	}
}

func TestOverrideIsForProvidersWithoutCredentialsOfTheirOwn(t *testing.T) {
	clearCloudEnv(t)
	for provider, want := range map[string]bool{"openai": true, "azure": true, "bedrock": false, "gemini": false, "huggingface": false} {
		s := mustSource(t, Config{HeaderName: "K", HeaderValue: "own", AllowOverride: true}, provider, nil, alone())
		if s.override != want {
			t.Errorf("%s: %v", provider, s.override)
		}
		if mustSource(t, Config{HeaderName: "K", HeaderValue: "own"}, provider, nil, alone()).override {
			t.Errorf("%s: overridden unasked", provider)
		}
	}
}

func TestSecretsAreLongEnoughToBeLookedFor(t *testing.T) {
	for value, want := range map[string]int{"1234567": 0, "12345678": 1, "Bearer 1234567": 0, "Bearer 12345678": 1, "": 0} {
		if got := appendTokens(nil, []string{value}); len(got) != want {
			t.Errorf("%q: %q", value, got)
		}
	}
	for value, want := range map[string]int{"1234567": 0, "12345678": 1} {
		s := mustSource(t, Config{ParamName: "p", ParamValue: value, ParamLocation: "body"}, "openai", nil, alone())
		if got := s.AppendSecrets(nil, http.Header{}); len(got) != want {
			t.Errorf("parameter %q: %q", value, got)
		}
	}
	// What a client sent, or an identity made, is in the headers.
	s := mustSource(t, Config{HeaderName: "X-Own", HeaderValue: "configured", AllowOverride: true}, "openai", nil, alone())
	if got := s.AppendSecrets(nil, http.Header{"X-Own": {"Token of-a-client"}, "Authorization": {"Bearer 12345678"}, "Accept": {"application/json"}}); len(got) != 2 {
		t.Errorf("%q", got)
	}
}

func TestSourcesSayWhatKindTheyAre(t *testing.T) {
	clearCloudEnv(t)
	for want, c := range map[string]struct {
		provider string
		auth     Config
	}{
		"credentials of openai ()":                         {"openai", Config{}},
		"credentials of openai (header K)":                 {"openai", Config{HeaderName: "k", HeaderValue: "v"}},
		"credentials of openai (header K, parameter p)":    {"openai", Config{HeaderName: "k", HeaderValue: "v", ParamName: "p", ParamValue: "v", ParamLocation: "body"}},
		"credentials of bedrock (SigV4)":                   {"bedrock", Config{}},
		"credentials of azure (token)":                     {"azure", Config{AzureUseManagedIdentity: true}},
		"credentials of azure (header X-Own, token)":       {"azure", Config{AzureUseManagedIdentity: true, HeaderName: "x-own", HeaderValue: "v"}},
		"credentials of gemini (header X-Goog-Api-Key)":    {"gemini", Config{HeaderName: "x-goog-api-key", HeaderValue: "v"}},
		"credentials of gemini (token)":                    {"gemini", Config{GCPUseServiceAccount: true, ParamName: "key", ParamValue: "v", ParamLocation: "query"}},
		"credentials of gemini (parameter version, token)": {"gemini", Config{GCPUseServiceAccount: true, ParamName: "version", ParamValue: "v", ParamLocation: "query"}},
	} {
		if got := fmt.Sprint(*mustSource(t, c.auth, c.provider, nil, alone())); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := fmt.Sprint(Outgoing{Method: "GET"}); got != "outgoing GET to " {
		t.Errorf("%s", got)
	}
	if got := fmt.Sprint(Outgoing{Method: "GET", URL: &url.URL{Host: "h", RawQuery: canary}}); got != "outgoing GET to h" {
		t.Errorf("%s", got)
	}
}

func TestMetadataServicesAreNotAskedThroughAProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://proxy.test")
	t.Setenv("NO_PROXY", "")
	for host, direct := range map[string]bool{"169.254.169.254": true, "169.254.169.254:80": true, "metadata.google.internal": true, "login.test": false, "10.0.0.1": false} {
		u, err := proxyUnlessMetadata(httptest.NewRequest("GET", "http://"+host+"/", nil))
		if err != nil || u != nil && direct {
			t.Errorf("%s: %v %v", host, u, err)
		}
	}
}

func TestEndpointIsAURLWithoutAUser(t *testing.T) {
	for raw, ok := range map[string]bool{"http://h": true, "https://h/p?q": true, "ftp://h": false, "h": false, "http://": false, "http://u@h": false, "http://u:p@h": false, "%zz": false} {
		if _, err := endpoint("f", raw); (err == nil) != ok {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestEndpointThatCannotBeReachedIsNamed(t *testing.T) {
	clearCloudEnv(t)
	key, _ := googleTestKey(t)
	unreachable := &http.Client{Transport: failing{}}
	for provider, auth := range map[string]Config{
		"gemini": {GCPUseServiceAccount: true, GCPServiceAccountJSON: key, GCPOAuthTokenURL: "https://token.test/t?k=" + canary},
		"azure":  {AzureUseManagedIdentity: true, AzureClientID: "c", AzureClientSecret: canary, AzureTenantID: "t"},
	} {
		err := mustSource(t, auth, provider, unreachable, alone()).Apply(t.Context(), nil, outgoing(t, "https://example.com"))
		if err == nil || !strings.Contains(err.Error(), "token endpoint ") || !strings.Contains(err.Error(), "no route") || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", provider, err)
		}
	}
}

type failing struct{}

func (failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("no route") }

func TestSTSIsAskedTwiceWhenItFails(t *testing.T) {
	clearCloudEnv(t)
	role := bedrock(target.Bedrock{AWSRegion: "us-east-1", AWSAssumeRoleARN: "arn:aws:iam::1:role/r", AWSSTSEndpointURL: "http://sts.test"})
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{handler: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }}
		s := mustSource(t, staticKeys, "bedrock", c.client(), alone())
		if err := s.Apply(t.Context(), role, outgoing(t, runtime)); err == nil || len(c.requests()) != 2 {
			t.Errorf("asked %d times: %v", len(c.requests()), err)
		}
	})
}
