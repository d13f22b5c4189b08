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
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
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
