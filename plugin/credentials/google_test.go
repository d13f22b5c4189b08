package credentials

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go-ai-proxy/translators"
	"go-ai-proxy/translators/target"
)

var newGoogleKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// googleTestKey is a service account's key file and its key.
func googleTestKey(t *testing.T) (string, *rsa.PrivateKey) {
	t.Helper()
	k, err := newGoogleKey()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "private_key_id": "kid-1", "client_email": "sa@p.iam.gserviceaccount.com",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"token_uri":   "https://oauth2.googleapis.com/token",
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text), k
}

// checkAssertion verifies a JWT by the book.
func checkAssertion(t *testing.T, jwt string, k *rsa.PrivateKey) {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %d parts", len(parts))
	}
	decode := func(s string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&k.PublicKey, crypto.SHA256, sum[:], decode(parts[2])); err != nil {
		t.Fatal(err)
	}
	var head struct{ Alg, Kid string }
	var claims struct {
		Iss, Scope, Aud string
		Iat, Exp        int64
	}
	if err := json.Unmarshal(decode(parts[0]), &head); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(decode(parts[1]), &claims); err != nil {
		t.Fatal(err)
	}
	if head.Alg != "RS256" || head.Kid != "kid-1" {
		t.Errorf("head: %+v", head)
	}
	if claims.Iss != "sa@p.iam.gserviceaccount.com" || claims.Scope != "https://www.googleapis.com/auth/cloud-platform" ||
		claims.Aud != "https://oauth2.googleapis.com/token" || claims.Exp <= time.Now().Unix() || claims.Exp-claims.Iat > 3660 {
		t.Errorf("claims: %+v", claims)
	}
}

func TestServiceAccountSignsForAToken(t *testing.T) {
	clearCloudEnv(t)
	key, k := googleTestKey(t)
	for name, c := range map[string]struct {
		auth Config
		env  string
		url  string
	}{
		"configured":   {Config{GCPServiceAccountJSON: key}, "{", "https://oauth2.googleapis.com/token"},
		"environment":  {Config{GCPMetadataURL: "http://never"}, key, "https://oauth2.googleapis.com/token"},
		"other server": {Config{GCPServiceAccountJSON: key, GCPOAuthTokenURL: "https://psc.example.com/t"}, "", "https://psc.example.com/t"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GCP_SERVICE_ACCOUNT", c.env)
			t.Setenv("GOOGLE_SDK_GO_LOGGING_LEVEL", "debug")
			c.auth.GCPUseServiceAccount = true
			world, env := tokens(`"expires_in":3600`), alone()
			s := mustSource(t, c.auth, "gemini", world.client(), env)
			wantAuthorization(t, s, "Bearer tok-1")
			wantAuthorization(t, mustSource(t, c.auth, "gemini", world.client(), env), "Bearer tok-1")
			got := world.requests()
			if len(got) != 1 || got[0].method != "POST" || got[0].url != c.url || got[0].form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
				t.Fatalf("got %d: %+v", len(got), got[0])
			}
			checkAssertion(t, got[0].form.Get("assertion"), k)
		})
	}
}

func TestGoogleTokenIsRenewedAheadAndNeverUsedExpired(t *testing.T) {
	clearCloudEnv(t)
	key, _ := googleTestKey(t)
	synctest.Test(t, func(t *testing.T) {
		s := mustSource(t, Config{GCPUseServiceAccount: true, GCPServiceAccountJSON: key}, "gemini", tokens(`"expires_in":3600`).client(), alone())
		wantAuthorization(t, s, "Bearer tok-1")
		time.Sleep(56 * time.Minute)
		wantAuthorization(t, s, "Bearer tok-1")
		synctest.Wait()
		wantAuthorization(t, s, "Bearer tok-2")
		time.Sleep(2 * time.Hour)
		wantAuthorization(t, s, "Bearer tok-3")
	})
}

func TestMetadataServerIsAskedWhereThereIsNoKey(t *testing.T) {
	clearCloudEnv(t)
	const path = "/computeMetadata/v1/instance/service-accounts/default/token"
	for at, want := range map[string]string{
		"":                             "http://metadata.google.internal" + path,
		"http://127.0.0.1:9000":        "http://127.0.0.1:9000" + path,
		"http://127.0.0.1:9000/":       "http://127.0.0.1:9000" + path,
		"http://127.0.0.1:9000/t?a=sa": "http://127.0.0.1:9000/t?a=sa",
	} {
		c := tokens(`"expires_in":3599`)
		s := mustSource(t, Config{GCPUseServiceAccount: true, GCPMetadataURL: at}, "gemini", c.client(), alone())
		wantAuthorization(t, s, "Bearer tok-1")
		got := c.requests()[0]
		if got.method != "GET" || got.url != want || got.header.Get("Metadata-Flavor") != "Google" {
			t.Errorf("%q: got %+v", at, got)
		}
	}
}

func TestGeminiKeyNeedsNoIdentity(t *testing.T) {
	s := mustSource(t, Config{HeaderName: "x-goog-api-key", HeaderValue: "k"}, "gemini", (&cloud{}).client(), alone())
	out := outgoing(t, "https://example.com")
	apply(t, s, nil, out)
	if out.Header.Get("X-Goog-Api-Key") != "k" || len(out.Header) != 1 {
		t.Fatalf("got %v", out.Header)
	}
}

// federated is an external_account whose other token is from source.
func federated(source string) string {
	return `{"type":"external_account","audience":"//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
		"subject_token_type":"urn:ietf:params:oauth:token-type:jwt","token_url":"https://sts.googleapis.com/v1/token",
		"service_account_impersonation_url":"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/sa@p.iam.gserviceaccount.com:generateAccessToken",
		"credential_source":` + source + `}`
}

// exchange stands for Google's token service and its impersonation of an account.
func exchange() *cloud {
	return &cloud{handler: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Host == "sts.googleapis.com" {
			fmt.Fprint(w, `{"access_token":"exchanged","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer","expires_in":3600}`)
			return
		}
		fmt.Fprintf(w, `{"accessToken":"of-the-account","expireTime":%q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}}
}

func TestTokenOfAnOpenIDProviderIsExchangedForGoogles(t *testing.T) {
	clearCloudEnv(t)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("id-token"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, env := exchange(), alone()
	auth := Config{GCPUseServiceAccount: true, GCPServiceAccountJSON: federated(`{"file":` + strconv.Quote(file) + `}`)}
	s := mustSource(t, auth, "gemini", c.client(), env)
	wantAuthorization(t, s, "Bearer of-the-account")
	wantAuthorization(t, s, "Bearer of-the-account")
	got := c.requests()
	if len(got) != 2 || got[0].form.Get("subject_token") != "id-token" || got[1].header.Get("Authorization") != "Bearer exchanged" {
		t.Errorf("asked %+v", got)
	}
}

func TestSignatureOfAWSIsExchangedForGoogles(t *testing.T) {
	clearCloudEnv(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKID")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "aws-secret")
	t.Setenv("AWS_REGION", "eu-central-1")
	c := exchange()
	auth := Config{GCPUseServiceAccount: true, GCPServiceAccountJSON: strings.Replace(federated(`{"environment_id":"aws1","regional_cred_verification_url":"https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"}`),
		"token-type:jwt", "token-type:aws4_request", 1)}
	wantAuthorization(t, mustSource(t, auth, "gemini", c.client(), alone()), "Bearer of-the-account")
	subject, err := url.QueryUnescape(c.requests()[0].form.Get("subject_token"))
	if err != nil || !strings.Contains(subject, "https://sts.eu-central-1.amazonaws.com") || !strings.Contains(subject, "Credential=AKID/") || strings.Contains(subject, "aws-secret") {
		t.Errorf("%s (%v)", subject, err)
	}
}

func TestFailedFederationNamesNoSecret(t *testing.T) {
	clearCloudEnv(t)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("marked-token"), 0o600); err != nil {
		t.Fatal(err)
	}
	refusing := &cloud{handler: func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"error":"invalid_grant","error_description":"marked-token is not valid"}`)
	}}
	for source, want := range map[string]string{
		`{"file":` + strconv.Quote(file) + `}`:                    "exchange",
		`{"file":` + strconv.Quote(file+"-that-is-nowhere") + `}`: "does not exist",
	} {
		s := mustSource(t, Config{GCPUseServiceAccount: true, GCPServiceAccountJSON: federated(source)}, "gemini", refusing.client(), alone())
		out := outgoing(t, "https://aiplatform.googleapis.com/v1/x")
		err := s.Apply(t.Context(), &target.Target{Provider: "gemini", Options: &target.Options{}}, out)
		if err == nil || !strings.Contains(err.Error(), "workload identity federation") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "marked") {
			t.Errorf("%s: %v", source, err)
		}
	}
	for _, wrong := range []Config{
		{GCPServiceAccountJSON: `{"type":"external_account"}`}, {GCPServiceAccountJSON: `{"type":"authorized_user"}`},
		{GCPServiceAccountJSON: federated(`{"file":"x"}`), GCPOAuthTokenURL: "https://x"},
	} {
		wrong.GCPUseServiceAccount = true
		if _, err := newSource(wrong, translators.Lookup("gemini"), nil, alone()); err == nil {
			t.Errorf("%+v: accepted", wrong)
		}
	}
}
