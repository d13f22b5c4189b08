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
	Name    string // in the README, beside the provider's; "" for the plain one
	Model   string // "" for any
	Options target.Options
}

// Target returns a target of the kind for p.
func (k *Kind) Target(p *Provider) *target.Target {
	return &target.Target{Provider: p.Name, Model: k.Model, Options: &k.Options}
}
