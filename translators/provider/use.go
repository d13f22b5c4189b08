package provider

import (
	"regexp"

	"go-ai-proxy/translators/target"
)

// Identity says how requests are authenticated if not by a key.
type Identity string

// The identities.
const (
	KeyOnly Identity = ""
	AWS     Identity = "aws"    // a signature of version 4, or a bearer key
	Entra   Identity = "entra"  // Microsoft's tokens
	Google  Identity = "google" // a service account's tokens
)

// Credentials are the fields of `auth` that an identity needs.
type Credentials struct {
	Identity Identity
	// Switch is the field that must be true, or the others have no effect; "" if
	// there is none.
	Switch string
	Fields []string
}

// AllCredentials holds the credentials of each identity, with the names of the fields
// as in the schema.
var AllCredentials = []Credentials{
	{AWS, "", []string{"aws_access_key_id", "aws_secret_access_key"}},
	{Entra, "azure_use_managed_identity", []string{"azure_client_id", "azure_client_secret", "azure_tenant_id"}},
	{Google, "gcp_use_service_account", []string{"gcp_service_account_json", "gcp_metadata_url", "gcp_oauth_token_url"}},
}

// Use is a target as configured, before there is a request: strings may still be
// templates.
type Use struct {
	Target     *target.Target
	Client     string // llm_format
	Native     bool   // Client is not OpenAI's
	Fixed      bool   // nothing of the target depends on the request
	Statistics bool   // logging.log_statistics
}

// Finding is a problem that a provider's Check has found in a use. A warning does
// not make the configuration invalid.
type Finding struct {
	Field   string // below the target: "model.options.gemini.api_endpoint"
	Message string
	Warning bool
}

// placeholders are templates such as $(headers.name).
var placeholders = regexp.MustCompile(`\$\([^)]*\)`)

// WithoutTemplates returns text with each template replaced by x, for checks of
// the text around them.
func WithoutTemplates(text string) string { return placeholders.ReplaceAllString(text, "x") }

// Kind is an example of a target.
type Kind struct {
	Name    string // in the documentation, beside the provider's; "" for the plain one
	Model   string // "" for any
	Options target.Options
}

// Target returns a target of the kind for p.
func (k *Kind) Target(p *Provider) *target.Target {
	return &target.Target{Provider: p.Name, Model: k.Model, Options: &k.Options}
}
