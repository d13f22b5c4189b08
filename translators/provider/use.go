package provider

import (
	"regexp"

	"go-ai-proxy/translators/target"
)

// Identity is how requests are authenticated where it is not by a key.
type Identity string

// The identities.
const (
	KeyOnly Identity = ""
	AWS     Identity = "aws"    // a signature of version 4, or a bearer key
	Entra   Identity = "entra"  // Microsoft's tokens
	Google  Identity = "google" // a service account's tokens
)

// Use is a target as it is configured, before there is a request: strings may
// still be templates.
type Use struct {
	Target     *target.Target
	Client     string // llm_format
	Native     bool   // Client is not OpenAI's
	Fixed      bool   // nothing of the target depends on the request
	Statistics bool   // logging.log_statistics
}

// Finding is what a provider has to say of a use. A warning leaves the
// configuration in force.
type Finding struct {
	Field   string // below the target: "model.options.gemini.api_endpoint"
	Message string
	Warning bool
}

// placeholders are templates such as $(headers.name).
var placeholders = regexp.MustCompile(`\$\([^)]*\)`)

// WithoutTemplates is text with x in place of each template, for checks of the
// text around them.
func WithoutTemplates(text string) string { return placeholders.ReplaceAllString(text, "x") }

// Kind is a target for which a provider may be a variant of itself.
type Kind struct {
	Name    string // for the README, in parentheses; "" for the plain one
	Options target.Options
}
