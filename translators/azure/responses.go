package azure

import (
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// responses is the Responses API, in which the deployment's name is the model.
var responses = func() *provider.Operation {
	op := openai.ResponsesAt("/openai/v1/responses", "azure")
	op.Edit.Set = deployed
	op.Untuned = openai.Families.Refused
	return op
}()

// withResponses returns op, a chat operation, with the Responses API instead for the
// models and requests that chat/completions refuses.
// https://learn.microsoft.com/en-us/azure/ai-foundry/openai/how-to/responses
func withResponses(op *provider.Operation) *provider.Operation {
	at := openai.ResponsesAt("", "azure")
	at.Path = responsesPath
	at.Query = responsesQuery
	openai.OrResponses(op, at, openai.Families, deploymentOf)
	op.Instead.Operation.Fields = op.Instead.Operation.Fields.With(provider.Fields{"model": provider.Dropped.With("the deployment's name is the model")})
	request, body := op.Instead.Request, op.Instead.Body
	op.Instead.Request = func(t *target.Target, r *chat.Request) bool { return !fixedBefore(t) && request(t, r) }
	op.Instead.Body = func(t *target.Target, ms []jsonedit.Member) bool { return !fixedBefore(t) && body(t, ms) }
	return op
}

// counter is the counter of the Responses API, which is below /openai/v1 only.
var counter = func() *provider.Operation {
	op := openai.InputTokensAt("/openai/v1/responses/input_tokens")
	op.Query = func(t *target.Target) [][2]string {
		if versionOf(t) == "preview" {
			return [][2]string{{versionParam, "preview"}}
		}
		return [][2]string{{versionParam, ""}}
	}
	return op
}()

// responsesPath is beside the deployments in dated versions that have Responses; below
// /openai/v1 they need no version.
func responsesPath(t *target.Target, _ bool) (string, error) {
	if dated(versionOf(t)) {
		return "/openai/responses", nil
	}
	return "/openai/v1/responses", nil
}

func responsesQuery(t *target.Target) [][2]string {
	if v := versionOf(t); v == "preview" || dated(v) {
		return [][2]string{{versionParam, v}}
	}
	return [][2]string{{versionParam, ""}}
}

// dated reports whether a dated version has Responses.
func dated(version string) bool { return !inV1(version) && !olderThan(responsesAPI, version) }

// fixedBefore reports whether the configured URL has a version without Responses.
func fixedBefore(t *target.Target) bool {
	_, params, _ := strings.Cut(t.Options.UpstreamURL, "?")
	v := versionIn(params)
	return !inV1(v) && !dated(v)
}

// deploymentOf is what the API calls a model: its deployment.
func deploymentOf(t *target.Target) string {
	if t.Options.AzureDeploymentID != "" {
		return t.Options.AzureDeploymentID
	}
	return t.Model
}
