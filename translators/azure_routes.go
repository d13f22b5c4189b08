package translators

import (
	"net/url"
	"strings"

	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Azure has three places for what is not generation of text: sound and pictures
// are below a deployment, files, batches and assistants below the resource, and
// what is newer below /openai/v1, which takes the model by name.
// https://learn.microsoft.com/en-us/azure/ai-foundry/openai/reference-preview-latest
var azureRoutes = operations{
	route.Files:            restAt(azureResource("/files"), provider.OpenAIFiles),
	route.Batches:          restAt(azureResource("/batches"), provider.OpenAIBatches),
	route.Assistants:       assistantsAt(azureResource("/assistants")),
	route.Speech:           speechAt(azureMedia("/audio/speech")),
	route.Transcriptions:   transcriptionsAt(azureMedia("/audio/transcriptions")),
	route.Translations:     transcriptionsAt(azureMedia("/audio/translations")),
	route.ImageGenerations: imagesAt(azureMedia("/images/generations")),
	route.ImageEdits:       imagesAt(azureMedia("/images/edits")),
	route.Videos:           {Path: path("/openai/v1/video/generations/jobs"), Format: provider.AzureVideoJobs, Resource: azureJobs{}, NoStream: true},
	route.Realtime:         {Path: azureRealtime, Format: provider.OpenAIRealtime, Meter: openai.RealtimeMeter},
}

// azureSora2 is azure for models of OpenAI's own videos API, which Azure has
// beside its older one.
// https://learn.microsoft.com/en-us/azure/ai-foundry/openai/concepts/video-generation
var azureSora2 = func() *provider.Provider {
	p := *azure
	p.Operations = provider.With(provider.With(operations{}, azure.Operations), operations{
		route.Videos: restAt(path("/openai/v1/videos"), provider.OpenAIVideo),
	})
	return &p
}()

// azureByModel is azure, or azureSora2.
var azureByModel = func() *provider.Provider {
	p := *azure
	p.Variant = func(t *target.Target) *provider.Provider {
		if strings.HasPrefix(t.Model, "sora-2") {
			return azureSora2
		}
		return azure
	}
	return &p
}()

// inV1 says that the version is one of /openai/v1, which has no dates.
// https://learn.microsoft.com/en-us/azure/ai-foundry/openai/api-version-lifecycle
func inV1(version string) bool {
	return version == "" || version == "v1" || version == "preview" || version == "latest"
}

// azureResource is a path below the resource.
func azureResource(suffix string) func(*target.Target, bool) (string, error) {
	return func(t *target.Target, _ bool) (string, error) {
		if inV1(t.Options.AzureAPIVersion) {
			return "/openai/v1" + suffix, nil
		}
		return "/openai" + suffix, nil
	}
}

// azureMedia is a path below the deployment, which the API demands; without
// one it is what Kong's documentation prints.
func azureMedia(suffix string) func(*target.Target, bool) (string, error) {
	below, resource := deployment(suffix), azureResource(suffix)
	return func(t *target.Target, stream bool) (string, error) {
		if t.Options.AzureDeploymentID == "" {
			return resource(t, stream)
		}
		return below(t, stream)
	}
}

// datedPreview says that a version is of the API before /openai/v1.
func datedPreview(version string) bool {
	return strings.HasSuffix(version, "-preview") && strings.HasPrefix(version, "20")
}

// azureRealtime is the preview's path for a dated preview, and that of general
// availability otherwise, where a model is the name of a deployment.
// https://learn.microsoft.com/en-us/azure/ai-foundry/openai/how-to/realtime-audio-websockets
func azureRealtime(t *target.Target, _ bool) (string, error) {
	name := t.Options.AzureDeploymentID
	if name == "" {
		name = t.Model
	}
	if datedPreview(t.Options.AzureAPIVersion) {
		return "/openai/realtime?deployment=" + url.QueryEscape(name), nil
	}
	return "/openai/v1/realtime?model=" + url.QueryEscape(name), nil
}

// azureVersion is the api-version that goes in the query, "" for none.
func azureVersion(t *target.Target) string {
	version := t.Options.AzureAPIVersion
	switch t.Route {
	case route.Realtime:
		if !datedPreview(version) {
			return ""
		}
	case route.Videos:
		if !inV1(version) {
			return "preview"
		}
	}
	return version
}
