// Package azure is OpenAI's API in Azure. Start with Provider; routes.go has what is
// not generation of text, jobs.go translates video generation jobs.
package azure

import (
	"errors"
	"strconv"
	"strings"

	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Provider is OpenAI's API in Azure: withJobs, or withSora2 for a model that has
// OpenAI's API for videos.
var Provider = func() provider.Provider {
	p := *withJobs
	p.Variant = func(t *target.Target) *provider.Provider {
		if strings.HasPrefix(t.Model, "sora-2") {
			return withSora2
		}
		return withJobs
	}
	return p
}()

// withJobs is Azure with its older API for videos. A resource is a host, a model is a
// deployment in the path, and the version of the API is in the query. The Responses
// API, which is newer, is at /openai/v1 and takes the model by name.
// https://learn.microsoft.com/en-us/azure/ai-foundry/openai/reference
var withJobs = &provider.Provider{
	Name:     "azure",
	Base:     base,
	Prefix:   prefix,
	Query:    query,
	Kinds:    []provider.Kind{{Options: target.Options{AzureInstance: "i", AzureDeploymentID: "d"}}},
	Identity: provider.Entra,
	Embeds:   true,
	Resizes:  []string{"text-embedding-3"},
	Check:    check,
	Counter:  openai.InputTokensAt("/openai/v1/responses/input_tokens"),
	Operations: provider.With(map[route.Type]*provider.Operation{
		route.Chat:        openai.ChatOf(deployment("/chat/completions"), provider.Edit{Drop: openai.TopK, Rename: openai.ReasoningLimit, Spare: openai.RefusedWhileReasoning, History: openai.HistoryOf, Effort: openai.EffortOf}),
		route.Completions: {Path: deployment("/completions"), Format: provider.OpenAICompletions, Meter: openai.Meter, Edit: provider.Edit{Drop: openai.TopK}},
		route.Embeddings:  {Path: deployment("/embeddings"), Format: provider.OpenAIEmbeddings, Meter: openai.Meter, NoStream: true},
		route.Responses:   openai.ResponsesAt("/openai/v1/responses"),
	}, otherRoutes),
}

func base(t *target.Target) (string, error) {
	instance := t.Options.AzureInstance
	if instance == "" {
		return "", errors.New("model.options.azure_instance: must be set for azure")
	}
	if !provider.IsHostLabel(instance) {
		return "", errors.New("model.options.azure_instance: " + strconv.Quote(instance) + " is no host name")
	}
	return "https://" + instance + ".openai.azure.com", nil
}

// prefix returns the path of the deployment. deployment checks the name.
func prefix(t *target.Target) string {
	return "/openai/deployments/" + t.Options.AzureDeploymentID
}

func query(t *target.Target) [][2]string {
	if v := version(t); v != "" {
		return [][2]string{{"api-version", v}}
	}
	return nil
}

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

// check warns of a dated version for videos, whose API has no such versions.
func check(u *provider.Use) []provider.Finding {
	v := u.Target.Options.AzureAPIVersion
	if u.Target.Route != route.Videos || !target.Named("azure_api_version").Set(u.Target.Options) || v[0] < '0' || v[0] > '9' {
		return nil
	}
	return []provider.Finding{{Field: "model.options.azure_api_version", Message: "has no effect: videos have no dated versions: use preview", Warning: true}}
}
