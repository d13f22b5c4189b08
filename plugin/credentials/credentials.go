// Package credentials is the only place that handles credentials on outgoing
// requests: it removes the client's (Forwarded, StripClientQuery) and adds the
// target's (Source.Apply). Nothing else in the plugin sets, copies or prints a
// credential.
//
// A Source has up to three: a header, a query or body parameter, and an identity
// of the kind that the provider uses: a signature (AWS) or a bearer token
// (Microsoft Entra, Google). Start at Source.Apply; each identity is one file.
package credentials

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/net/http/httpguts"

	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// Outgoing is one attempt's request, complete except for its credentials. The relay
// owns it; Apply changes URL and Header. Printing it shows neither header values nor
// the query.
type Outgoing struct {
	Method string
	URL    *url.URL    // final; its host is the Host header
	Header http.Header // canonical keys, without the client's own credentials
	Body   [][]byte    // the pieces of the final body, in order; read for SigV4 only

	// What the client sent, unchanged: the source of the one credential that
	// allow_override lets through.
	ClientHeader http.Header
	ClientQuery  string // raw
}

// Format prints the method and the host of o.
func (o Outgoing) Format(f fmt.State, _ rune) {
	host := ""
	if o.URL != nil {
		host = o.URL.Host
	}
	fmt.Fprintf(f, "outgoing %s to %s", o.Method, host)
}

// MarshalJSON writes what Format prints.
func (o Outgoing) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(o)) }

// identity authenticates requests by something that must be fetched or computed.
type identity interface {
	// apply sets the identity's headers on out.
	apply(ctx context.Context, t *target.Target, out *Outgoing) error
	// warm starts to fetch what apply will need for t, and does not wait for it.
	warm(t *target.Target)
}

// Source holds the credentials of one configured target. It is immutable and safe for
// concurrent use. Printing it shows no secret.
type Source struct {
	provider string
	override bool

	header      string // canonical; "" is none
	headerValue []string

	param      string
	paramValue string
	paramQuery string // the escaped pair, when it goes in the query
	paramJSON  []byte // the JSON string, when it goes in the body

	identity identity // nil is none
}

// environment is shared by all sources.
type environment struct {
	tokens *registry[[]string]        // values of Authorization
	keys   *registry[aws.Credentials] // of the default chain and of assumed roles
}

// maxIdentities is the size of each registry. Only templated roles could come close
// to it.
const maxIdentities = 256

var shared = &environment{
	tokens: newRegistry[[]string](maxIdentities),
	keys:   newRegistry[aws.Credentials](maxIdentities),
}

// New prepares the credentials of a target when its configuration is loaded. It makes
// no request. Identities with the same values share their tokens across sources and
// reloads.
//
// hc calls the token endpoints of Azure, Google and STS; its redirects are not
// followed. It must not send link-local addresses through a proxy. If hc is nil, a
// client that does all this is used.
//
// Errors name the field of the configuration but never its value.
func New(auth Config, p *provider.Provider, hc *http.Client) (*Source, error) {
	return newSource(auth, p, hc, shared)
}

func newSource(auth Config, p *provider.Provider, hc *http.Client, env *environment) (*Source, error) {
	s := &Source{provider: p.Name, override: auth.AllowOverride && !p.OwnKey}
	if err := s.setHeader(auth); err != nil {
		return nil, err
	}
	if err := s.setParam(auth); err != nil {
		return nil, err
	}
	if auth == (Config{AllowOverride: auth.AllowOverride}) && p.KeyEnv != "" && os.Getenv(p.KeyEnv) != "" {
		auth.HeaderName, auth.HeaderValue = "Authorization", "Bearer "+os.Getenv(p.KeyEnv)
		if err := s.setHeader(auth); err != nil {
			return nil, fmt.Errorf("%s in the environment: %w", p.KeyEnv, err)
		}
	}
	var err error
	switch hc = withoutRedirects(hc); {
	case p.Identity == provider.AWS && !s.isBearerKey(auth):
		s.identity, err = newSigV4(auth, p.Service, hc, env)
	case p.Identity == provider.Entra && auth.AzureUseManagedIdentity:
		s.identity, err = newAzure(auth, p.Audience, hc, env)
	case p.Identity == provider.Google && auth.GCPUseServiceAccount:
		s.identity, err = newGoogle(auth, hc, env)
	}
	if err != nil {
		return nil, err
	}
	if s.identity != nil {
		s.dropKeys()
	}
	return s, nil
}

func (s *Source) setHeader(auth Config) error {
	if auth.HeaderName == "" && auth.HeaderValue == "" {
		return nil
	}
	if auth.HeaderName == "" || auth.HeaderValue == "" {
		return errors.New("auth.header_name and auth.header_value must be set together")
	}
	if !httpguts.ValidHeaderFieldName(auth.HeaderName) {
		return errors.New("auth.header_name is not a header name")
	}
	switch s.header = http.CanonicalHeaderKey(auth.HeaderName); s.header {
	case "Host", "Content-Length", "Connection", "Transfer-Encoding", "Te", "Trailer", "Upgrade":
		return fmt.Errorf("auth.header_name: %s frames the request and cannot carry a credential", s.header)
	}
	if !httpguts.ValidHeaderFieldValue(auth.HeaderValue) {
		return errors.New("auth.header_value has a control character, perhaps a line end: remove it")
	}
	s.headerValue = []string{auth.HeaderValue}
	return nil
}

func (s *Source) setParam(auth Config) error {
	if auth.ParamName == "" && auth.ParamValue == "" && auth.ParamLocation == "" {
		return nil
	}
	if auth.ParamName == "" || auth.ParamValue == "" || auth.ParamLocation == "" {
		return errors.New("auth.param_name, auth.param_value and auth.param_location must be set together")
	}
	s.param, s.paramValue = auth.ParamName, auth.ParamValue
	switch auth.ParamLocation {
	case "query":
		s.paramQuery = url.QueryEscape(auth.ParamName) + "=" + url.QueryEscape(auth.ParamValue)
	case "body":
		quoted, err := json.Marshal(auth.ParamValue)
		if err != nil {
			return errors.New("auth.param_value cannot be written as JSON")
		}
		s.paramJSON = quoted
	default:
		return fmt.Errorf("auth.param_location: expected query or body, got %q", auth.ParamLocation)
	}
	return nil
}

// isBearerKey reports whether auth holds an API key of AWS, which is sent as a bearer
// token instead of a signature. AWS access keys win over it.
// https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html
func (s *Source) isBearerKey(auth Config) bool {
	return s.header == "Authorization" && strings.HasPrefix(auth.HeaderValue, "Bearer ") &&
		auth.AWSAccessKeyID == "" && auth.AWSSecretAccessKey == ""
}

// dropKeys removes a header or query key, because the identity replaces it: providers
// refuse two credentials, or use the wrong one. Another header, such as a
// subscription key for a gateway in between, is kept.
func (s *Source) dropKeys() {
	switch s.header {
	case "Authorization", "Api-Key", "X-Api-Key", "X-Goog-Api-Key":
		s.header, s.headerValue = "", nil
	}
	if s.paramQuery != "" && isClientOnlyQuery(s.param) {
		s.param, s.paramValue, s.paramQuery = "", "", ""
	}
}

// Warm starts to fetch what Apply will need for t, if anything is due, and returns at
// once. The relay calls it for all targets of a request before the first attempt, so
// that a failover does not wait for a token. t is nil for a target whose templates
// are not resolved yet.
func (s *Source) Warm(t *target.Target) {
	if s.identity != nil {
		s.identity.warm(t)
	}
}

// Apply adds the credentials for t to out: header, query parameter, identity. It is
// called once per attempt, as the last change of a request, since a signature covers
// the rest. It waits for a token only if there is no usable one, at most until ctx
// ends and at most some seconds. The header values that it sets are shared: replace
// them, but do not change their elements.
//
// After an error nothing may be sent ("LLM request failed before proxying"). The
// error's text holds no secret and may be logged.
func (s *Source) Apply(ctx context.Context, t *target.Target, out *Outgoing) error {
	if s.header != "" {
		value := s.headerValue
		if s.override {
			if client, sent := out.ClientHeader[s.header]; sent {
				value = client
			}
		}
		out.Header[s.header] = value
	}
	if s.paramQuery != "" {
		s.applyQuery(out)
	}
	if s.identity == nil {
		return nil
	}
	if err := s.identity.apply(ctx, t, out); err != nil {
		return fmt.Errorf("credentials of %s: %w", s.provider, err)
	}
	return nil
}

func (s *Source) applyQuery(out *Outgoing) {
	pairs := s.paramQuery
	if s.override {
		client := filterQuery(out.ClientQuery, func(n string) bool { return n == s.param })
		if client != "" {
			pairs = client
		}
	}
	out.URL.RawQuery = setQuery(out.URL.RawQuery, s.param, pairs)
}

// BodyParam returns the top-level member that the final JSON body must have,
// replacing a member with that name, and its raw JSON value. name is "" if there is
// none. client returns the raw value of a member of the client's own body, or nil.
// value must not be changed.
func (s *Source) BodyParam(client func(name string) []byte) (name string, value []byte) {
	if s.paramJSON == nil {
		return "", nil
	}
	if s.override {
		if own := client(s.param); own != nil {
			return s.param, own
		}
	}
	return s.param, s.paramJSON
}

// shortest is the length from which a text is searched for as a secret, in bytes. A
// shorter one could occur anywhere by chance.
const shortest = 8

// AppendSecrets appends the texts that must not be shown, of a request with headers h
// that the source was applied to: keys, tokens, signatures.
func (s *Source) AppendSecrets(secrets []string, h http.Header) []string {
	if s.identity == nil && !s.override { // only configured values can be in it
		secrets = appendTokens(secrets, s.headerValue)
	} else {
		for name, values := range h {
			if name == s.header || isClientOnly(name) {
				secrets = appendTokens(secrets, values)
			}
		}
	}
	if len(s.paramValue) >= shortest {
		secrets = append(secrets, s.paramValue)
	}
	return secrets
}

// appendTokens appends a header's values without their scheme.
func appendTokens(secrets, values []string) []string {
	for _, v := range values {
		if _, token, found := strings.Cut(v, " "); found {
			v = token
		}
		if len(v) >= shortest {
			secrets = append(secrets, v)
		}
	}
	return secrets
}

// Format prints what kind of credentials s has.
func (s Source) Format(f fmt.State, _ rune) {
	kinds := make([]string, 0, 3)
	if s.header != "" {
		kinds = append(kinds, "header "+s.header)
	}
	if s.param != "" {
		kinds = append(kinds, "parameter "+s.param)
	}
	switch s.identity.(type) {
	case *sigV4:
		kinds = append(kinds, "SigV4")
	case *bearer, *entra:
		kinds = append(kinds, "token")
	}
	fmt.Fprintf(f, "credentials of %s (%s)", s.provider, strings.Join(kinds, ", "))
}
