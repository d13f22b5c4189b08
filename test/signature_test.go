package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go-ai-proxy/translators/mock"
)

// Keys of the two accounts that Amazon, as it is mocked here, knows.
const (
	awsKey       = "AKIDEXAMPLE"
	awsSecret    = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	sessionKey   = "ASIAEXAMPLE"
	sessionToken = "session/of+the=tests"
)

// amazon is a Bedrock that verifies what it is sent, by the name of its host
// through a proxy, and at url.
type amazon struct {
	url string
	env []string // with which a process finds and trusts it

	mu    sync.Mutex
	asked []received
}

func newAmazon(t *testing.T) *amazon {
	t.Helper()
	a := &amazon{}
	strict := mock.Handler(mock.Options{AWSKeys: map[string]string{awsKey: awsSecret, sessionKey: awsSecret}})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.asked = append(a.asked, received{method: r.Method, path: r.URL.EscapedPath(), header: r.Header.Clone()})
		a.mu.Unlock()
		strict.ServeHTTP(w, r)
	})
	plain := httptest.NewServer(h)
	t.Cleanup(plain.Close)
	a.url = plain.URL
	secure := httptest.NewUnstartedServer(h)
	certificate, trust := certificateFor(t, "bedrock-runtime.us-east-1.amazonaws.com")
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	secure.StartTLS()
	t.Cleanup(secure.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { tunnel(w, r, secure.Listener.Addr().String()) }))
	t.Cleanup(proxy.Close)
	a.env = []string{"HTTPS_PROXY=" + proxy.URL, "SSL_CERT_FILE=" + trust}
	return a
}

// last is the request that came last.
func (a *amazon) last(t *testing.T) received {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.asked) == 0 {
		t.Fatal("Amazon was not asked")
	}
	return a.asked[len(a.asked)-1]
}

// tunnel is a proxy that leads every CONNECT to one address.
func tunnel(w http.ResponseWriter, r *http.Request, to string) {
	if r.Method != http.MethodConnect || !strings.HasSuffix(r.Host, ".amazonaws.com:443") {
		http.Error(w, "not for Amazon: "+r.Method+" "+r.Host, http.StatusForbidden)
		return
	}
	there, err := net.Dial("tcp", to)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer there.Close()
	here, rest, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	_, _ = io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		_, _ = io.Copy(there, rest)
		_ = there.Close()
	}()
	_, _ = io.Copy(here, there)
}

// certificateFor signs a certificate for host by itself and writes it to file.
func certificateFor(t *testing.T, host string) (c tls.Certificate, file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "trusted.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// onBedrock is a target with static keys at Amazon's own address.
func onBedrock(model string, more ...any) obj {
	return with(bedrock("", "model.name", model, "model.options.upstream_url", absent{},
		"auth", obj{"aws_access_key_id": awsKey, "aws_secret_access_key": awsSecret}), more...)
}

const (
	profileARN  = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3"
	versionedID = "meta.llama3-70b-instruct-v1:0"
)

// TestSignaturesOfTheBinaryVerify: every part of the signature is
// computed anew from what arrives.
func TestSignaturesOfTheBinaryVerify(t *testing.T) {
	a := newAmazon(t)
	escapedARN := strings.NewReplacer(":", "%3A", "/", "%2F").Replace(profileARN)
	url := "model.options.upstream_url"
	ask := func(more string) string {
		return `{"messages":[{"role":"user","content":"scenario:text ä 漢 😀"}]` + more + `}`
	}
	cases := []struct {
		name   string
		config obj
		send   request
		path   string // at Amazon
		key    string
	}{
		{"whole", onBedrock("amazon.nova-pro"), request{body: ask("")}, "/model/amazon.nova-pro/converse", awsKey},
		{"a stream", onBedrock("amazon.nova-pro"), request{body: ask(`,"stream":true`)}, "/model/amazon.nova-pro/converse-stream", awsKey},
		{"a colon in the id", onBedrock(versionedID), request{body: ask("")}, "/model/meta.llama3-70b-instruct-v1%3A0/converse", awsKey},
		{"a colon in the id, a stream", onBedrock(versionedID), request{body: ask(`,"stream":true`)}, "/model/meta.llama3-70b-instruct-v1%3A0/converse-stream", awsKey},
		{"an ARN", onBedrock(profileARN), request{body: ask("")}, "/model/" + escapedARN + "/converse", awsKey},
		{"an ARN, a stream", onBedrock(profileARN), request{body: ask(`,"stream":true`)}, "/model/" + escapedARN + "/converse-stream", awsKey},
		{"another address", onBedrock("m", url, a.url+"/model/m/converse"), request{body: ask("")}, "/model/m/converse", awsKey},
		{"another address, a stream", onBedrock("m", url, a.url+"/model/m/converse-stream"), request{body: ask(`,"stream":true`)}, "/model/m/converse-stream", awsKey},
		{"another address, a colon", onBedrock(versionedID, url, a.url+"/model/meta.llama3-70b-instruct-v1%3A0/converse"), request{body: ask("")}, "/model/meta.llama3-70b-instruct-v1%3A0/converse", awsKey},
		{"another address, an ARN", onBedrock(profileARN, url, a.url+"/model/"+escapedARN+"/converse"), request{body: ask("")}, "/model/" + escapedARN + "/converse", awsKey},
		{"a query of the client", onBedrock("m", url, a.url+"/model/m/converse?b=2&a=x%20y"), request{body: ask(""), query: "a-b=%2F%2B&a=1"}, "/model/m/converse", awsKey},
		{"temporary keys of the environment", onBedrock("m", "auth", obj{"allow_override": false}), request{body: ask("")}, "/model/m/converse", sessionKey},
		{"Amazon's own format", onBedrock(profileARN, "llm_format", "bedrock", url, a.url), request{path: "/model/" + escapedARN + "/converse", body: strings.Replace(converseBody, `"hi"`, `"scenario:text"`, 1)}, "/model/" + escapedARN + "/converse", awsKey},
	}
	routes := make([]any, len(cases))
	for i, c := range cases {
		routes[i] = on("/"+string(rune('a'+i)), c.config)
	}
	env := append(a.env, "AWS_ACCESS_KEY_ID="+sessionKey, "AWS_SECRET_ACCESS_KEY="+awsSecret, "AWS_SESSION_TOKEN="+sessionToken)
	g := start(t, env, "-config", writeConfig(t, declare(routes...)))
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			resp, text := post(t, g.url+"/"+string(rune('a'+i))+c.send.path+"?"+c.send.query, c.send.body, "X-Amz-Meta", "a client's", "Authorization", "AWS4-HMAC-SHA256 Credential=a client's")
			if resp.StatusCode != 200 {
				t.Fatalf("%d %s", resp.StatusCode, text)
			}
			if streamed := strings.HasSuffix(c.path, "-stream"); streamed != strings.HasSuffix(text, "data: [DONE]\n\n") || !streamed && !strings.Contains(text, "The answer to 1 + 1 is 2.") {
				t.Errorf("answer %s", text)
			}
			r := a.last(t)
			s, err := mock.ReadSigV4(r.header)
			if err != nil {
				t.Fatal(err)
			}
			if r.path != c.path || s.AccessKey != c.key || s.Region != "us-east-1" || (s.SessionToken == sessionToken) != (c.key == sessionKey) {
				t.Errorf("%s with %+v", r.path, s)
			}
		})
	}
}

// TestSignatureWithAWrongSecretIsRefused: were the mock to take any signature, the
// test above would say nothing.
func TestSignatureWithAWrongSecretIsRefused(t *testing.T) {
	a := newAmazon(t)
	g := start(t, a.env, "-config", writeConfig(t, declare(
		on("/secret", onBedrock("m", "auth.aws_secret_access_key", awsSecret+"x")),
		on("/key", onBedrock("m", "auth.aws_access_key_id", "AKIDOTHER")),
	)))
	for path, says := range map[string]string{
		"/secret": "The request signature we calculated does not match the signature you provided.",
		"/key":    "The security token included in the request is invalid.",
	} {
		resp, text := post(t, g.url+path, chatBody)
		if resp.StatusCode != 403 || !strings.Contains(text, says) || strings.Contains(text, awsSecret) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, text)
		}
	}
}

// TestFailoverFromOpenAIToBedrockIsSigned is acceptance 296.
func TestFailoverFromOpenAIToBedrockIsSigned(t *testing.T) {
	a := newAmazon(t)
	broken := newUpstream(t, answer{status: 500, body: `{"error":{"message":"down"}}`})
	g := start(t, a.env, "-config", writeConfig(t, declare(on("/chat", obj{
		"balancer": obj{"algorithm": "priority", "retries": 1, "failover_criteria": list{"http_500", "non_idempotent"}},
		"targets":  list{with(there(chat(), broken.URL), "weight", 100), with(onBedrock(versionedID), "weight", 1)},
	}))))
	for i, more := range []string{"", `,"stream":true`} {
		resp, text := post(t, g.url+"/chat", `{"messages":[{"role":"user","content":"scenario:text"}]`+more+`}`)
		if resp.StatusCode != 200 || (more != "") != strings.HasSuffix(text, "data: [DONE]\n\n") || more == "" && !strings.Contains(text, "The answer to 1 + 1 is 2.") {
			t.Fatalf("%d %s", resp.StatusCode, text)
		}
		broken.mu.Lock()
		first := broken.seen[i]
		broken.mu.Unlock()
		then := a.last(t)
		if first.header.Get("Authorization") != "Bearer configured-key" || first.header.Get("X-Amz-Date") != "" {
			t.Errorf("to OpenAI: %v", first.header)
		}
		if s, err := mock.ReadSigV4(then.header); err != nil || s.AccessKey != awsKey || strings.Contains(then.path, "chat/completions") {
			t.Errorf("to Bedrock: %s %v, %v", then.path, then.header, err)
		}
		checkJSON(t, "log", g.entry(t, resp.Header.Get("X-Kong-Request-Id")), obj{"ai.proxy.tried_targets.0.provider": "openai", "ai.proxy.tried_targets.1.provider": "bedrock"})
	}
}
