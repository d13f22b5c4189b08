package credentials

import (
	"cmp"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"
)

const (
	googleScope    = "https://www.googleapis.com/auth/cloud-platform"
	googleToken    = "https://oauth2.googleapis.com/token"
	googleMetadata = "http://metadata.google.internal"
	googleDefault  = "/computeMetadata/v1/instance/service-accounts/default/token"
)

// newGoogle uses the first of these that is available: the configured service account
// key or external account, that in GCP_SERVICE_ACCOUNT, the metadata server, which also serves GKE's
// workload identity.
func newGoogle(cfg Config, hc *http.Client, env *environment) (identity, error) {
	field, key := "auth.gcp_service_account_json", cfg.GCPServiceAccountJSON
	if key == "" {
		field, key = "GCP_SERVICE_ACCOUNT", os.Getenv("GCP_SERVICE_ACCOUNT")
	}
	if key != "" {
		return googleKey(field, key, cfg.GCPOAuthTokenURL, hc, env)
	}
	return googleInstance(cfg.GCPMetadataURL, hc, env)
}

// serviceAccount holds the fields of a service account's key file that are needed.
// https://cloud.google.com/iam/docs/keys-create-delete
type serviceAccount struct {
	Type         string `json:"type"`
	ClientEmail  string `json:"client_email"`
	PrivateKeyID string `json:"private_key_id"`
	PrivateKey   string `json:"private_key"`
	TokenURI     string `json:"token_uri"`
}

// googleKey is the two-legged flow with a JWT that the key signs. The audience is
// always Google's own endpoint, even if another URL leads to it.
// https://developers.google.com/identity/protocols/oauth2/service-account
func googleKey(field, key, tokenURL string, hc *http.Client, env *environment) (identity, error) {
	var sa serviceAccount
	// Errors of encoding/json quote values.
	if json.Unmarshal([]byte(key), &sa) != nil {
		return nil, fmt.Errorf("%s is not a service account key in JSON", field)
	}
	switch sa.Type {
	case "service_account":
	case "external_account":
		return googleFederation(field, key, tokenURL, hc, env)
	default:
		return nil, fmt.Errorf("%s: type must be service_account, or external_account for workload identity federation", field)
	}
	if block, _ := pem.Decode([]byte(sa.PrivateKey)); sa.ClientEmail == "" || block == nil {
		return nil, fmt.Errorf("%s: client_email or the PEM block of private_key is missing", field)
	}
	audience := cmp.Or(sa.TokenURI, googleToken)
	at, err := endpoint("auth.gcp_oauth_token_url", cmp.Or(tokenURL, audience))
	if err != nil {
		return nil, err
	}
	provider, err := auth.New2LOTokenProvider(&auth.Options2LO{
		Email:        sa.ClientEmail,
		PrivateKey:   []byte(sa.PrivateKey),
		PrivateKeyID: sa.PrivateKeyID,
		Audience:     audience,
		TokenURL:     at.String(),
		Scopes:       []string{googleScope},
		Client:       hc,
		// The library's own logger writes assertions and tokens if an environment
		// variable asks for it.
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be used as a key", field)
	}
	fetch := func(ctx context.Context) ([]string, time.Time, error) {
		token, err := provider.Token(ctx)
		if err == nil && token.Expiry.IsZero() {
			err = errors.New("the answer says no expiry")
		}
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("service account of Google: %w", googleError(at.Host, err))
		}
		value, err := authorization(token.Value)
		return value, token.Expiry, err
	}
	id := fingerprintOf("google key", key, at.String())
	return &bearer{env.tokens.get(id, fetch)}, nil
}

// googleFederation exchanges a token of another cloud, or of any OpenID provider, for
// Google's. The JSON says where the other token is from: AWS's environment or metadata,
// a file, a URL, or a program if GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES is 1.
// https://cloud.google.com/iam/docs/workload-identity-federation
func googleFederation(field, key, tokenURL string, hc *http.Client, env *environment) (identity, error) {
	if tokenURL != "" {
		return nil, fmt.Errorf("auth.gcp_oauth_token_url has no effect beside an external_account in %s, which has its own token_url: remove it", field)
	}
	provider, err := credentials.NewCredentialsFromJSON(credentials.ExternalAccount, []byte(key), &credentials.DetectOptions{
		Scopes: []string{googleScope}, Client: hc, DisableAsyncRefresh: true, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, fmt.Errorf("%s: is no complete external_account", field)
	}
	fetch := func(ctx context.Context) ([]string, time.Time, error) {
		token, err := provider.Token(ctx)
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("workload identity federation of Google: %w", federationError(err))
		}
		value, err := authorization(token.Value)
		return value, token.Expiry, err
	}
	return &bearer{env.tokens.get(fingerprintOf("google federation", key), fetch)}, nil
}

// federationError returns err without what is secret in its text: the library quotes
// answers.
func federationError(err error) error {
	var refused *auth.Error
	var unreachable *url.Error
	switch {
	case errors.As(err, &refused) && refused.Response != nil:
		return fmt.Errorf("an exchange was refused with status %d", refused.Response.StatusCode)
	case errors.As(err, &unreachable):
		return fmt.Errorf("an exchange failed: %s", cause(unreachable.Err))
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("the file of the other token does not exist")
	}
	return errors.New("an exchange failed: check audience, subject_token_type and credential_source")
}

// googleError returns err without the answer's body.
func googleError(host string, err error) error {
	var refused *auth.Error
	if errors.As(err, &refused) && refused.Response != nil {
		return tokenRefused(host, refused.Response.StatusCode, refused.Body)
	}
	return fmt.Errorf("token endpoint %s: %s", host, cause(err))
}

// googleInstance requests a token from the metadata server. at, if set, is its
// address, or the whole URL if it has a path.
// https://cloud.google.com/compute/docs/access/authenticate-workloads#applications
func googleInstance(at string, hc *http.Client, env *environment) (identity, error) {
	u, err := endpoint("auth.gcp_metadata_url", cmp.Or(at, googleMetadata))
	if err != nil {
		return nil, err
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = googleDefault
	}
	fetch := func(ctx context.Context) (value []string, expires time.Time, err error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err == nil {
			req.Header.Set("Metadata-Flavor", "Google")
			value, expires, err = fetchToken(hc, req)
		}
		if err != nil {
			err = fmt.Errorf("metadata server of Google: %w", err)
		}
		return value, expires, err
	}
	id := fingerprintOf("google metadata", u.String())
	return &bearer{env.tokens.get(id, fetch)}, nil
}
