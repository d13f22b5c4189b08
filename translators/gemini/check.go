package gemini

import (
	"strings"

	"go-ai-proxy/translators/provider"
)

// check returns what is wrong with a configuration, in addition to the checks of the
// options' rows.
func check(u *provider.Use) (found []provider.Finding) {
	o := u.Target.Options
	if strings.ContainsAny(provider.WithoutTemplates(o.Gemini.APIEndpoint), "/?#@ ") {
		found = append(found, provider.Finding{
			Field: "model.options.gemini.api_endpoint", Message: "must be a host name without scheme and path, such as us-central1-aiplatform.googleapis.com",
		})
	}
	if o.ServiceTier != "" && onVertex(u.Target) {
		found = append(found, provider.Finding{Field: "model.options.service_tier", Message: "has no effect on Vertex AI, where a tier is a header of the client's", Warning: true})
	}
	if o.Gemini.EndpointID != "" && !onVertex(u.Target) {
		found = append(found, provider.Finding{
			Field: "model.options.gemini.endpoint_id", Message: "has no effect: it is of Vertex AI, which is chosen by gemini.api_endpoint", Warning: true,
		})
	}
	if o.AnthropicVersion != "" && (!onVertex(u.Target) || !strings.HasPrefix(o.AnthropicVersion, "vertex-")) {
		found = append(found, provider.Finding{
			Field: "model.options.anthropic_version", Message: "has no effect: only Claude on Vertex AI reads it, where it is such as vertex-2023-10-16", Warning: true,
		})
	}
	return found
}
