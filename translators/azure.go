package translators

import (
	"errors"
	"strconv"

	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// azure is OpenAI's API in Azure: a resource is a host, a model is a
// deployment in the path, and the version of the API is in the query. The
// Responses API, which is newer, is at /openai/v1 and takes the model by name.
// https://learn.microsoft.com/en-us/azure/ai-foundry/openai/reference
var azure = &provider.Provider{
	Name:     "azure",
	Base:     azureBase,
	Prefix:   azurePrefix,
	Query:    azureQuery,
	Kinds:    []provider.Kind{{Options: target.Options{AzureInstance: "i", AzureDeploymentID: "d"}}},
	Identity: provider.Entra,
	Resizes:  []string{"text-embedding-3"},
	Check:    azureCheck,
	Operations: provider.With(operations{
		route.Chat:        chatOf(deployment("/chat/completions"), provider.Edit{Drop: topK, Rename: reasoningLimit, Spare: refusedWhileReasoning}, openai.Upstream{Effort: openAIEffort}),
		route.Completions: {Path: deployment("/completions"), Format: provider.OpenAICompletions, Meter: openai.Meter, Edit: provider.Edit{Drop: topK}},
		route.Embeddings:  {Path: deployment("/embeddings"), Format: provider.OpenAIEmbeddings, Meter: openai.Meter, NoStream: true},
		route.Responses:   responsesAt("/openai/v1/responses"),
	}, azureRoutes),
}

func azureBase(t *target.Target) (string, error) {
	instance := t.Options.AzureInstance
	if instance == "" {
		return "", errors.New("model.options.azure_instance: must be set for azure")
	}
	if !isHostLabel(instance) {
		return "", errors.New("model.options.azure_instance: " + strconv.Quote(instance) + " is no host name")
	}
	return "https://" + instance + ".openai.azure.com", nil
}

// azurePrefix is the deployment's part of the path. It is checked where the
// path is made.
func azurePrefix(t *target.Target) string {
	return "/openai/deployments/" + t.Options.AzureDeploymentID
}

func azureQuery(t *target.Target) [][2]string {
	version := azureVersion(t)
	if version == "" {
		return nil
	}
	return [][2]string{{"api-version", version}}
}

// deployment is a path of the deployment's.
func deployment(suffix string) func(*target.Target, bool) (string, error) {
	return func(t *target.Target, _ bool) (string, error) {
		if t.Options.UpstreamURL == "" { // which needs no deployment
			if _, err := segment("model.options.azure_deployment_id", t.Options.AzureDeploymentID); err != nil {
				return "", err
			}
		}
		return azurePrefix(t) + suffix, nil
	}
}

// azureCheck: videos have an API that is not among those with dated versions.
func azureCheck(u *provider.Use) []provider.Finding {
	v := u.Target.Options.AzureAPIVersion
	if u.Target.Route != route.Videos || !target.Named("azure_api_version").Set(u.Target.Options) || v[0] < '0' || v[0] > '9' {
		return nil
	}
	return []provider.Finding{{Field: "model.options.azure_api_version", Message: "has no effect: videos have no dated versions: use preview", Warning: true}}
}
