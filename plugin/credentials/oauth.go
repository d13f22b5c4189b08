package credentials

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// OAuth is `vectordb.redis.cloud_authentication.oauth`: how a token of any OAuth 2.0 server
// is asked for, which Redis takes for a password. The fields are those of Kong 3.16.
type OAuth struct {
	TokenEndpoint      string   `json:"token_endpoint"`
	GrantType          string   `json:"grant_type"`  // client_credentials or password
	AuthMethod         string   `json:"auth_method"` // client_secret_post, _basic or _jwt
	ClientID           string   `json:"client_id"`
	ClientSecret       string   `json:"client_secret"`
	ClientSecretJWTAlg string   `json:"client_secret_jwt_alg"` // HS256 or HS512
	Username           string   `json:"username"`              // of the grant password
	Password           string   `json:"password"`
	Scopes             []string `json:"scopes"`
	TokenHeaders       Pairs    `json:"token_headers"`
	TokenPostArgs      Pairs    `json:"token_post_args"`
	RedisUsername      string   `json:"redis_username"`
	RedisUsernameClaim string   `json:"redis_username_claim"` // in the token, a JWT
	SSLVerify          bool     `json:"ssl_verify"`
	Timeout            float64  `json:"timeout"` // ms
}

// Pairs are names with values. An empty one may come as a list: Lua has one empty table.
type Pairs map[string]string

// UnmarshalJSON implements json.Unmarshaler.
func (p *Pairs) UnmarshalJSON(data []byte) error {
	if string(data) == "[]" {
		return nil
	}
	return json.Unmarshal(data, (*map[string]string)(p))
}

// oauthLogin has a token of an OAuth 2.0 server for a password.
func oauthLogin(o *OAuth, user string, hc *http.Client, env *environment) (Login, error) {
	const at = "vectordb.redis.cloud_authentication.oauth"
	if o == nil || o.TokenEndpoint == "" {
		return nil, errors.New(at + ".token_endpoint: must be set")
	}
	to, err := endpoint(at+".token_endpoint", o.TokenEndpoint)
	switch {
	case err != nil:
		return nil, err
	case o.ClientID == "" || o.ClientSecret == "":
		return nil, errors.New(at + ": client_id and client_secret must be set")
	case o.GrantType == "password" && (o.Username == "" || o.Password == ""):
		return nil, errors.New(at + ": the grant password needs username and password")
	}
	if !o.SSLVerify {
		unverified := direct.Transport.(*http.Transport).Clone()
		unverified.TLSClientConfig = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
		hc = withoutRedirects(&http.Client{Transport: unverified})
	}
	settings, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	fetch := func(ctx context.Context) ([]string, time.Time, error) {
		if o.Timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, time.Duration(o.Timeout*float64(time.Millisecond)))
			defer cancel()
		}
		req, err := o.request(ctx, to)
		if err != nil {
			return nil, time.Time{}, err
		}
		return fetchToken(hc, req)
	}
	b := &bearer{env.tokens.get(fingerprintOf("oauth", string(settings)), fetch)}
	claimed := func(token string) string { return claimOf(token, o.RedisUsernameClaim) }
	if o.RedisUsername != "" {
		user = o.RedisUsername
	} else if o.RedisUsernameClaim != "" {
		user = ""
	}
	return tokenLogin(b, user, claimed), nil
}

// request asks for a token. https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
func (o *OAuth) request(ctx context.Context, to *url.URL) (*http.Request, error) {
	form := url.Values{}
	for name, value := range o.TokenPostArgs {
		form.Set(name, value)
	}
	form.Set("grant_type", o.GrantType)
	if len(o.Scopes) > 0 {
		form.Set("scope", strings.Join(o.Scopes, " "))
	}
	if o.GrantType == "password" {
		form.Set("username", o.Username)
		form.Set("password", o.Password)
	}
	switch o.AuthMethod {
	case "client_secret_jwt":
		form.Set("client_id", o.ClientID)
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", o.assertion(to.String(), time.Now()))
	case "client_secret_post":
		form.Set("client_id", o.ClientID)
		form.Set("client_secret", o.ClientSecret)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, errors.New("vectordb.redis.cloud_authentication.oauth: the request for a token could not be made")
	}
	for name, value := range o.TokenHeaders {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if o.AuthMethod == "client_secret_basic" {
		req.SetBasicAuth(url.QueryEscape(o.ClientID), url.QueryEscape(o.ClientSecret))
	}
	return req, nil
}

// assertion is a JWT that shows that the client knows its secret.
// https://openid.net/specs/openid-connect-core-1_0.html#ClientAuthentication
func (o *OAuth) assertion(audience string, now time.Time) string {
	alg, sum := "HS512", sha512.New
	if o.ClientSecretJWTAlg == "HS256" {
		alg, sum = "HS256", func() hash.Hash { return sha256.New() }
	}
	header, _ := json.Marshal(map[string]string{"alg": alg, "typ": "JWT"}) // strings and numbers cannot fail
	claims, _ := json.Marshal(map[string]any{
		"iss": o.ClientID, "sub": o.ClientID, "aud": audience, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	})
	signed := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims)
	mac := hmac.New(sum, []byte(o.ClientSecret))
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// claimOf returns a claim of a token that is a JWT, "" if it has none. The signature is
// for Redis to check.
func claimOf(token, name string) string {
	parts := strings.Split(token, ".")
	if name == "" || len(parts) != 3 {
		return ""
	}
	var claims map[string]any
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return ""
	}
	value, _ := claims[name].(string)
	return value
}
