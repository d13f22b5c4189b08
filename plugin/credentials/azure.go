package credentials

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"go-ai-proxy/translators/target"
)

// The flows are implemented here and not by azidentity, which requests the tenant's
// OpenID configuration before every first token, keeps tokens of managed identities
// in a cache that we cannot bound, and retries the metadata service for longer than a
// client waits.

const (
	azureResource = "https://cognitiveservices.azure.com/"
	azureLogin    = "https://login.microsoftonline.com"
	azureIMDS     = "http://169.254.169.254/metadata/identity/oauth2/token"
)

// azureFlow is one way to get a token: a name for errors, the values that identify
// it, and the request for a token for a resource.
type azureFlow struct {
	name    string
	id      []string
	request func(ctx context.Context, resource string) (*http.Request, error)
}

// entra authenticates by tokens of one flow. A target may need one for another resource
// than others of its provider.
type entra struct {
	*azureFlow
	plain    *bearer // for azureResource
	audience func(*target.Target) string
	hc       *http.Client
	env      *environment
}

// of returns the token for t, which is nil while its templates are not resolved.
func (e *entra) of(t *target.Target) *bearer {
	if t == nil || e.audience == nil {
		return e.plain
	}
	if resource := e.audience(t); resource != "" {
		return e.token(resource)
	}
	return e.plain
}

func (e *entra) apply(ctx context.Context, t *target.Target, out *Outgoing) error {
	return e.of(t).apply(ctx, t, out)
}

func (e *entra) warm(t *target.Target) { e.of(t).warm(t) }

// token returns the flow's token for a resource, which sources share.
func (e *entra) token(resource string) *bearer {
	fetch := func(ctx context.Context) (value []string, expires time.Time, err error) {
		req, err := e.request(ctx, resource)
		if err == nil {
			value, expires, err = fetchToken(e.hc, req)
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", e.name, err)
		}
		return value, expires, err
	}
	return &bearer{e.env.tokens.get(fingerprintOf(append([]string{"entra", resource, e.name}, e.id...)...), fetch)}
}

// newAzure uses the first of these that is available: the configured service
// principal, AKS workload identity, a service principal in the environment, the
// managed identity of App Service, that of a virtual machine.
func newAzure(auth Config, audience func(*target.Target) string, hc *http.Client, env *environment) (identity, error) {
	if auth.AzureClientSecret != "" && (auth.AzureClientID == "" || auth.AzureTenantID == "") {
		return nil, errors.New("auth.azure_client_secret needs auth.azure_client_id and auth.azure_tenant_id")
	}
	flow, err := chooseAzure(auth)
	if err != nil {
		return nil, err
	}
	e := &entra{azureFlow: flow, audience: audience, hc: hc, env: env}
	e.plain = e.token(azureResource)
	return e, nil
}

func chooseAzure(auth Config) (*azureFlow, error) {
	envID, envSecret, envTenant := os.Getenv("AZURE_CLIENT_ID"), os.Getenv("AZURE_CLIENT_SECRET"), os.Getenv("AZURE_TENANT_ID")
	client, tenant := cmp.Or(auth.AzureClientID, envID), cmp.Or(auth.AzureTenantID, envTenant)
	file := os.Getenv("AZURE_FEDERATED_TOKEN_FILE")
	switch {
	case auth.AzureClientSecret != "":
		return servicePrincipal(client, auth.AzureClientSecret, tenant)
	case file != "" && client != "" && tenant != "":
		return workloadIdentity(client, file, tenant)
	case auth.AzureClientID == "" && envID != "" && envSecret != "" && tenant != "":
		return servicePrincipal(envID, envSecret, tenant)
	}
	if at, secret := os.Getenv("IDENTITY_ENDPOINT"), os.Getenv("IDENTITY_HEADER"); at != "" && secret != "" {
		u, err := endpoint("IDENTITY_ENDPOINT", at)
		if err != nil {
			return nil, err
		}
		return managedIdentity("Azure App Service identity", u, "2019-08-01", auth.AzureClientID, "X-Identity-Header", secret), nil
	}
	u, err := url.Parse(azureIMDS)
	if err != nil {
		return nil, err
	}
	return managedIdentity("Azure managed identity", u, "2018-02-01", auth.AzureClientID, "Metadata", "true"), nil
}

// managedIdentity requests a token of the identity of client from a metadata service.
// client is "" for the system-assigned identity.
// https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
// https://learn.microsoft.com/azure/app-service/overview-managed-identity
func managedIdentity(name string, at *url.URL, version, client, header, value string) *azureFlow {
	q := at.Query()
	q.Set("api-version", version)
	if client != "" {
		q.Set("client_id", client)
	}
	u := *at
	u.RawQuery = q.Encode()
	return &azureFlow{
		name: name,
		id:   []string{u.String(), value},
		request: func(ctx context.Context, resource string) (*http.Request, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String()+"&resource="+url.QueryEscape(resource), nil)
			if err != nil {
				return nil, errors.New("the endpoint is not a URL")
			}
			req.Header.Set(header, value)
			return req, nil
		},
	}
}

// servicePrincipal is the client credentials grant with a secret.
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
func servicePrincipal(client, secret, tenant string) (*azureFlow, error) {
	at, err := azureTokenURL(tenant)
	if err != nil {
		return nil, err
	}
	return &azureFlow{
		name: "Azure service principal",
		id:   []string{at, client, secret},
		request: func(ctx context.Context, resource string) (*http.Request, error) {
			return clientCredentials(ctx, at, client, resource, url.Values{"client_secret": {secret}})
		},
	}, nil
}

// workloadIdentity is the same grant with a token of the cluster. The token is
// rotated on disk, so it is read each time.
// https://azure.github.io/azure-workload-identity/docs/
func workloadIdentity(client, file, tenant string) (*azureFlow, error) {
	at, err := azureTokenURL(tenant)
	if err != nil {
		return nil, err
	}
	return &azureFlow{
		name: "Azure workload identity",
		id:   []string{at, client, file},
		request: func(ctx context.Context, resource string) (*http.Request, error) {
			assertion, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("AZURE_FEDERATED_TOKEN_FILE: %w", err)
			}
			return clientCredentials(ctx, at, client, resource, url.Values{
				"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
				"client_assertion":      {strings.TrimSpace(string(assertion))},
			})
		},
	}, nil
}

func clientCredentials(ctx context.Context, at, client, resource string, proof url.Values) (*http.Request, error) {
	proof.Set("grant_type", "client_credentials")
	proof.Set("client_id", client)
	proof.Set("scope", resource+".default")
	return postForm(ctx, at, proof)
}

// azureTokenURL returns the token endpoint of a tenant, in the cloud of
// AZURE_AUTHORITY_HOST.
func azureTokenURL(tenant string) (string, error) {
	host := cmp.Or(os.Getenv("AZURE_AUTHORITY_HOST"), azureLogin)
	if _, err := endpoint("AZURE_AUTHORITY_HOST", host); err != nil {
		return "", err
	}
	return strings.TrimRight(host, "/") + "/" + url.PathEscape(tenant) + "/oauth2/v2.0/token", nil
}

func postForm(ctx context.Context, at string, form url.Values) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, errors.New("the token endpoint is not a URL")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req, nil
}
