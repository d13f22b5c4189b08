package credentials

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Config is the auth record of a target, of ai-proxy and of embeddings, with Kong's
// field names. Vault references have been resolved, so it holds secrets: everything
// that prints it, JSON included, shows REDACTED instead. Keep it in an exported field
// or behind a pointer, since fmt cannot call methods on unexported struct fields.
type Config struct {
	HeaderName    string `json:"header_name,omitempty"`
	HeaderValue   string `json:"header_value,omitempty"`
	ParamName     string `json:"param_name,omitempty"`
	ParamValue    string `json:"param_value,omitempty"`
	ParamLocation string `json:"param_location,omitempty"` // "query" or "body"
	AllowOverride bool   `json:"allow_override,omitempty"`

	AWSAccessKeyID     string `json:"aws_access_key_id,omitempty"`
	AWSSecretAccessKey string `json:"aws_secret_access_key,omitempty"`

	AzureUseManagedIdentity bool   `json:"azure_use_managed_identity,omitempty"`
	AzureClientID           string `json:"azure_client_id,omitempty"`
	AzureClientSecret       string `json:"azure_client_secret,omitempty"`
	AzureTenantID           string `json:"azure_tenant_id,omitempty"`

	GCPUseServiceAccount  bool   `json:"gcp_use_service_account,omitempty"`
	GCPServiceAccountJSON string `json:"gcp_service_account_json,omitempty"`
	GCPMetadataURL        string `json:"gcp_metadata_url,omitempty"`
	GCPOAuthTokenURL      string `json:"gcp_oauth_token_url,omitempty"`
}

// Has reports whether the field with a name in JSON is set.
func (c *Config) Has(name string) bool {
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		if tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ","); tag == name {
			return !v.Field(i).IsZero()
		}
	}
	return false
}

// redacted replaces a value that is set but not shown.
const redacted = "REDACTED"

// printable has Config's fields and none of its methods.
type printable Config

// redact returns c without its secrets. URLs count as secrets, since they may contain
// a user name and a password.
func (c Config) redact() printable {
	for _, s := range []*string{
		&c.HeaderValue, &c.ParamValue, &c.AWSAccessKeyID, &c.AWSSecretAccessKey,
		&c.AzureClientSecret, &c.GCPServiceAccountJSON, &c.GCPMetadataURL, &c.GCPOAuthTokenURL,
	} {
		if *s != "" {
			*s = redacted
		}
	}
	return printable(c)
}

// Format prints c without its secrets, whatever the verb.
func (c Config) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "%+v", c.redact()) }

// MarshalJSON writes c without its secrets; it does not round-trip.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(c.redact()) }
