package anthropic

import (
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// check refuses what Kong refuses: log_statistics for the legacy API, which does not
// report usage.
func check(u *provider.Use) []provider.Finding {
	if u.Target.Route != route.Completions || !u.Statistics {
		return nil
	}
	return []provider.Finding{{Field: "logging.log_statistics", Message: "anthropic does not support statistics when route_type is llm/v1/completions"}}
}
