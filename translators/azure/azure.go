// Package azure is OpenAI's API in Azure, and Anthropic's (claude.go). Start with
// Provider; routes.go has what is not generation of text, jobs.go translates video
// generation jobs.
package azure

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Provider is OpenAI's API in Azure: withJobs, or withSora2 for a model that has
// OpenAI's API for videos; or Anthropic's, for Claude.
var Provider = func() provider.Provider {
	p := *withJobs
	p.Variant = func(t *target.Target) *provider.Provider {
		switch {
		case isClaude(t):
			return claude
		case strings.HasPrefix(t.Model, "sora-2"):
			return withSora2
		}
		return withJobs
	}
	return p
}()

// withJobs is Azure with its older API for videos. A resource is a host, a model is a
// deployment in the path, and the version of the API is in the query. The newer API,
// below /openai/v1, takes the model by name; its versions are v1 and preview. The
// Responses API is only there.
// https://learn.microsoft.com/en-us/azure/ai-foundry/openai/reference
var withJobs = &provider.Provider{
	Name:        "azure",
	Understands: []string{"openai"},
	Audience:    audience,
	Base:        base,
	Prefix:      prefix,
	Query:       query,
	Asked:       asked,
	Kinds: []provider.Kind{
		{Options: target.Options{AzureInstance: "i", AzureDeploymentID: "d"}},
		{Model: "claude-sonnet-4-5", Options: target.Options{AzureInstance: "i", AzureDeploymentID: "claude-sonnet-4-5"}},
	},
	Identity:   provider.Entra,
	Embeds:     true,
	Resizes:    []string{"text-embedding-3"},
	Check:      check,
	Reasons:    reasons,
	PriceNames: priceNames,
	Counter:    counter,
	Operations: provider.With(map[route.Type]*provider.Operation{
		route.Chat: withResponses(openai.ChatOf(text("/chat/completions"), provider.Edit{
			Drop: openai.TopK, CustomTools: true, Models: openai.Families, Limits: openai.Limits, History: openai.HistoryOf, Set: named, NoStreamOptions: beforeStreamOptions,
		})),
		route.Completions: {Path: text("/completions"), Format: provider.OpenAICompletions, Meter: openai.Meter, Edit: provider.Edit{Drop: openai.TopK, Set: named, NoStreamOptions: beforeStreamOptions}},
		route.Embeddings:  {Path: text("/embeddings"), Format: provider.OpenAIEmbeddings, Meter: openai.Meter, Edit: provider.Edit{Set: named}, NoStream: true},
		route.Responses:   responses,
	}, otherRoutes),
}

// priceNames is the name of a model in the price list: deployments have no dot in their
// names, so that gpt-3.5-turbo is often called gpt-35-turbo.
// https://learn.microsoft.com/en-us/azure/ai-foundry/openai/concepts/models
func priceNames(model string) []string {
	return []string{strings.Replace(model, "gpt-35-", "gpt-3.5-", 1), strings.Replace(model, "gpt-3.5-", "gpt-35-", 1)}
}

func base(t *target.Target) (string, error) { return below(t, ".openai.azure.com") }

// below returns the host of the resource in the domain, if the instance has none.
func below(t *target.Target, domain string) (string, error) {
	instance := t.Options.AzureInstance
	if instance == "" {
		return "", errors.New("model.options.azure_instance: must be set for azure")
	}
	if !provider.IsHostLabel(instance) {
		return "", errors.New("model.options.azure_instance: " + strconv.Quote(instance) + " is no host name")
	}
	if slices.ContainsFunc(domains, func(d string) bool { return strings.HasSuffix(instance, d) }) {
		return "https://" + instance, nil
	}
	return "https://" + instance + domain, nil
}

// domains are Microsoft's, below which a resource may be. An instance that has one of
// them at its end is the whole host: acme.services.ai.azure.com, a Foundry resource.
// https://learn.microsoft.com/en-us/azure/ai-foundry/foundry-models/concepts/endpoints
// https://learn.microsoft.com/en-us/azure/azure-government/compare-azure-government-global-azure
var domains = []string{".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com", ".openai.azure.us"}

// prefix returns the path of the deployment. deployment checks the name.
func prefix(t *target.Target) string {
	return "/openai/deployments/" + t.Options.AzureDeploymentID
}

// query has an empty version where there is none, so that the client's is not sent.
func query(t *target.Target) [][2]string { return [][2]string{{versionParam, version(t)}} }

// deployment returns the Path of an operation of the deployment.
func deployment(suffix string) func(*target.Target, bool) (string, error) {
	return func(t *target.Target, _ bool) (string, error) {
		if t.Options.UpstreamURL == "" { // which needs no deployment
			if _, err := provider.Segment("model.options.azure_deployment_id", t.Options.AzureDeploymentID); err != nil {
				return "", err
			}
		}
		return prefix(t) + suffix, nil
	}
}

// text returns the Path of an operation that generates text or vectors: of the
// deployment, or of /openai/v1, where the deployment is the body's model.
func text(suffix string) func(*target.Target, bool) (string, error) {
	inDeployment := deployment(suffix)
	return func(t *target.Target, stream bool) (string, error) {
		if onV1(t) {
			return "/openai/v1" + suffix, nil
		}
		return inDeployment(t, stream)
	}
}

// onV1 reports whether t's text is generated below /openai/v1. Without a version it is
// below the deployment, where all versions have it.
func onV1(t *target.Target) bool {
	return t.Options.AzureAPIVersion != "" && inV1(t.Options.AzureAPIVersion)
}

// named is an Edit.Set: the model of /openai/v1 is the name of a deployment.
func named(t *target.Target) []chat.Member {
	if !onV1(t) || t.Options.AzureDeploymentID == "" {
		return nil
	}
	return []chat.Member{{Name: "model", Value: jsonedit.AppendString(nil, t.Options.AzureDeploymentID)}}
}

// beforeStreamOptions is an Edit.NoStreamOptions: the version is older than
// stream_options.
func beforeStreamOptions(t *target.Target) bool { return olderThan(streamOptions, versionOf(t)) }

// check warns of a version that is not sent: for Claude, and where only /openai/v1 has
// the operation, whose versions are no dates.
func check(u *provider.Use) []provider.Finding {
	v := u.Target.Options.AzureAPIVersion
	dated := v != "" && v[0] >= '0' && v[0] <= '9'
	why := ""
	switch {
	case !target.Named("azure_api_version").IsSet(u.Target.Options):
	case isClaude(u.Target):
		why = "Anthropic's API, which Claude has on Foundry, has no such versions"
	case dated && u.Target.Route == route.Videos:
		why = "videos have no dated versions: use preview"
	case dated && onlyV1(u.Target.Route):
		why = "only /openai/v1 has " + string(u.Target.Route) + ", whose versions are no dates: use v1 or preview"
	}
	if why == "" {
		return nil
	}
	return []provider.Finding{{Field: "model.options.azure_api_version", Message: "has no effect: " + why, Warning: true}}
}
