package azure

import (
	"net/url"
	"strings"

	"go-ai-proxy/translators/target"
)

// versionParam is the query parameter for the version of the API. Azure does not
// distinguish upper and lower case in its name.
// https://learn.microsoft.com/en-us/azure/ai-foundry/openai/api-version-lifecycle
const versionParam = "api-version"

// versionOf is the version of the API that t is asked in: the one that the configured
// URL has, or the option's. A URL below /openai/v1 has no dated version: it is v1.
func versionOf(t *target.Target) string {
	path, params, _ := strings.Cut(t.Options.UpstreamURL, "?")
	if v := versionIn(params); v != "" {
		return v
	}
	if v := t.Options.AzureAPIVersion; inV1(v) || !strings.Contains(path, "/openai/v1/") {
		return v
	}
	return "v1"
}

// versionIn is the version that a query has, or "".
func versionIn(params string) string {
	if params == "" {
		return ""
	}
	values, _ := url.ParseQuery(params) // malformed parameters are nobody's
	for name, v := range values {
		if strings.EqualFold(name, versionParam) {
			return v[0]
		}
	}
	return ""
}

// asked is a Provider.Asked: Azure's SDKs name a version in every request, and what is
// sent is made for that one. A date is not a version of /openai/v1, if that is
// configured.
func asked(t *target.Target, params string) *target.Target {
	v, configured := versionIn(params), t.Options.AzureAPIVersion
	if v == "" || v == configured || configured != "" && inV1(configured) && !inV1(v) {
		return t
	}
	own, options := *t, *t.Options
	options.AzureAPIVersion = v
	own.Options = &options
	return &own
}
