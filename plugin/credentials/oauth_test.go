package credentials

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// jwt is a token with these claims, whose signature nobody checks.
func jwt(claims string) string {
	return "h." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".s"
}

func oauthServer(token string) *cloud {
	return &cloud{handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3600}`, token)
	}}
}

func TestRedisTakesTheTokenOfAnOAuthServer(t *testing.T) {
	token := jwt(`{"oid":"object-1","n":7}`)
	base := OAuth{TokenEndpoint: "https://login.test/token", GrantType: "client_credentials", AuthMethod: "client_secret_post", ClientID: "cid", ClientSecret: "s&cret", SSLVerify: true, Timeout: 10000}
	for name, c := range map[string]struct {
		change func(*OAuth)
		user   string // of the login
		form   map[string]string
	}{
		"by the form":        {func(*OAuth) {}, "configured", map[string]string{"grant_type": "client_credentials", "client_id": "cid", "client_secret": "s&cret", "scope": ""}},
		"by basic":           {func(o *OAuth) { o.AuthMethod = "client_secret_basic" }, "configured", map[string]string{"client_id": "", "client_secret": ""}},
		"of a user":          {func(o *OAuth) { o.GrantType, o.Username, o.Password = "password", "u", "p" }, "configured", map[string]string{"grant_type": "password", "username": "u", "password": "p"}},
		"with scopes":        {func(o *OAuth) { o.Scopes = []string{"a", "b"} }, "configured", map[string]string{"scope": "a b"}},
		"with more":          {func(o *OAuth) { o.TokenPostArgs = map[string]string{"resource": "r", "grant_type": "no"} }, "configured", map[string]string{"resource": "r", "grant_type": "client_credentials"}},
		"for a fixed user":   {func(o *OAuth) { o.RedisUsername, o.RedisUsernameClaim = "fixed", "oid" }, "fixed", nil},
		"for the claim":      {func(o *OAuth) { o.RedisUsernameClaim = "oid" }, "object-1", nil},
		"for no such claim":  {func(o *OAuth) { o.RedisUsernameClaim = "sub" }, "", nil},
		"for a claim, no id": {func(o *OAuth) { o.RedisUsernameClaim = "n" }, "", nil},
	} {
		o := base
		c.change(&o)
		server := oauthServer(token)
		user, password := login(t, &Cloud{Provider: "oauth", OAuth: &o}, "configured", server)
		if user != c.user || password != token {
			t.Errorf("%s: user %q, password %q", name, user, password)
		}
		r := server.requests()[0]
		for field, want := range c.form {
			if r.form.Get(field) != want {
				t.Errorf("%s: %s is %q, want %q", name, field, r.form.Get(field), want)
			}
		}
	}
}

// TestOAuthClientsShowTheirSecretAsConfigured: in the Authorization header, escaped, or by
// a signature that the server can check, without the secret itself.
func TestOAuthClientsShowTheirSecretAsConfigured(t *testing.T) {
	var got []*http.Request
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		got = append(got, r)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"t","expires_in":60}`)
	}))
	defer server.Close()
	ask := func(method, alg string) *http.Request {
		t.Helper()
		// The server's certificate is one that nobody knows.
		l, err := newLogin(&Cloud{Provider: "oauth", OAuth: &OAuth{
			TokenEndpoint: server.URL, GrantType: "client_credentials", AuthMethod: method, ClientID: "c:id", ClientSecret: "s+cret", ClientSecretJWTAlg: alg,
			TokenHeaders: map[string]string{"X-Tenant": "t1"},
		}}, "", nil, alone())
		if err != nil {
			t.Fatal(err)
		}
		if _, password, err := l(t.Context()); err != nil || password != "t" {
			t.Fatal(password, err)
		}
		return got[len(got)-1]
	}
	r := ask("client_secret_basic", "")
	if id, secret, ok := r.BasicAuth(); !ok || id != "c%3Aid" || secret != "s%2Bcret" || r.Header.Get("X-Tenant") != "t1" {
		t.Errorf("%q %q %v", id, secret, r.Header)
	}
	for alg, sum := range map[string]func() hash.Hash{"HS256": sha256.New, "HS512": sha512.New} {
		r := ask("client_secret_jwt", alg)
		parts := strings.Split(r.PostForm.Get("client_assertion"), ".")
		if len(parts) != 3 || r.PostForm.Get("client_secret") != "" || r.PostForm.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
			t.Fatalf("%s: %v", alg, r.PostForm)
		}
		mac := hmac.New(sum, []byte("s+cret"))
		mac.Write([]byte(parts[0] + "." + parts[1]))
		if parts[2] != base64.RawURLEncoding.EncodeToString(mac.Sum(nil)) {
			t.Errorf("%s: the signature is wrong", alg)
		}
		payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
		var claims struct {
			Issuer   string `json:"iss"`
			Subject  string `json:"sub"`
			Audience string `json:"aud"`
			ID       string `json:"jti"`
			Issued   int64  `json:"iat"`
			Expires  int64  `json:"exp"`
		}
		if err := json.Unmarshal(payload, &claims); err != nil || claims.Issuer != "c:id" || claims.Subject != "c:id" || claims.Audience != server.URL || claims.ID == "" || claims.Expires-claims.Issued != 60 {
			t.Errorf("%s: %s", alg, payload)
		}
	}
}

func TestIncompleteOAuthIsRefusedWhenItIsLoaded(t *testing.T) {
	full := OAuth{TokenEndpoint: "https://login.test/token", ClientID: "c", ClientSecret: "s-marked", GrantType: "password", Username: "u", Password: "p-marked"}
	for want, change := range map[string]func(*OAuth){
		"token_endpoint: must be set":         func(o *OAuth) { o.TokenEndpoint = "" },
		"token_endpoint: expected an http":    func(o *OAuth) { o.TokenEndpoint = "login.test" },
		"client_id and client_secret must be": func(o *OAuth) { o.ClientSecret = "" },
		"needs username and password":         func(o *OAuth) { o.Password = "" },
	} {
		o := full
		change(&o)
		if _, err := NewLogin(&Cloud{Provider: "oauth", OAuth: &o}, "", nil); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "marked") {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := NewLogin(&Cloud{Provider: "oauth"}, "", nil); err == nil {
		t.Error("no fields at all are taken")
	}
}

// TestOAuthRefusalsDoNotTellSecrets: endpoints quote what they were sent.
func TestOAuthRefusalsDoNotTellSecrets(t *testing.T) {
	refusing := &cloud{handler: func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error":"invalid_client","error_description":"s-marked is wrong"}`)
	}}
	o := &OAuth{TokenEndpoint: "https://login.test/token?k=marked", GrantType: "client_credentials", AuthMethod: "client_secret_post", ClientID: "c", ClientSecret: "s-marked", SSLVerify: true}
	l, err := newLogin(&Cloud{Provider: "oauth", OAuth: o}, "", refusing.client(), alone())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := l(t.Context()); err == nil || !strings.Contains(err.Error(), "status 401, invalid_client") || strings.Contains(err.Error(), "marked") {
		t.Errorf("%v", err)
	}
}
