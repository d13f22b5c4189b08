package azure

import (
	"net/url"
	"strings"

	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// otherRoutes are the operations that do not generate text. Azure has them in three
// places: sound and images below a deployment; files, batches and assistants below the
// resource; newer ones below /openai/v1, where the model is named in the body.
// https://learn.microsoft.com/en-us/azure/ai-foundry/openai/reference-preview-latest
var otherRoutes = map[route.Type]*provider.Operation{
	route.Files:            openai.RESTAt(resource("/files"), provider.OpenAIFiles),
	route.Batches:          openai.RESTAt(resource("/batches"), provider.OpenAIBatches),
	route.Assistants:       openai.AssistantsAt(resource("/assistants")),
	route.VectorStores:     openai.RESTAt(resource("/vector_stores"), provider.OpenAIVectorStores),
	route.Conversations:    openai.RESTAt(provider.Path("/openai/v1/conversations"), provider.OpenAIConversations),
	route.Containers:       openai.RESTAt(provider.Path("/openai/v1/containers"), provider.OpenAIContainers),
	route.Speech:           openai.SpeechAt(media("/audio/speech")),
	route.Transcriptions:   openai.TranscriptionsAt(media("/audio/transcriptions")),
	route.Translations:     openai.TranscriptionsAt(media("/audio/translations")),
	route.ImageGenerations: openai.ImagesAt(media("/images/generations")),
	route.ImageEdits:       openai.ImagesAt(media("/images/edits")),
	route.Videos:           {Path: provider.Path("/openai/v1/video/generations/jobs"), Format: provider.AzureVideoJobs, Resource: jobs{}, NoStream: true},
	route.Realtime:         {Path: realtime, Format: provider.OpenAIRealtime, Meter: openai.RealtimeMeter},
}

// withSora2 is Azure for models of OpenAI's own videos API, which Azure has next to
// its older one.
// https://learn.microsoft.com/en-us/azure/ai-foundry/openai/concepts/video-generation
var withSora2 = func() *provider.Provider {
	p := *withJobs
	p.Operations = provider.With(provider.With(map[route.Type]*provider.Operation{}, withJobs.Operations), map[route.Type]*provider.Operation{
		route.Videos: openai.RESTAt(provider.Path("/openai/v1/videos"), provider.OpenAIVideo),
	})
	return &p
}()

// inV1 reports whether version is one of /openai/v1, whose versions are not dates.
// https://learn.microsoft.com/en-us/azure/ai-foundry/openai/api-version-lifecycle
func inV1(version string) bool {
	return version == "" || version == "v1" || version == "preview" || version == "latest"
}

// What dated versions have not had from the beginning.
const (
	streamOptions = "stream_options"
	responsesAPI  = "responses"
)

// since holds the first dated version that has it, without "-preview". /openai/v1 has
// all of it.
var since = map[string]struct{ version, document string }{
	streamOptions: {"2024-09-01", "https://learn.microsoft.com/azure/ai-services/openai/api-version-deprecation"},
	responsesAPI:  {"2025-03-01", "https://learn.microsoft.com/azure/ai-foundry/openai/how-to/responses"},
}

// olderThan reports whether version is a dated one from before what is called name.
func olderThan(name, version string) bool { return !inV1(version) && version < since[name].version }

// resource returns the Path of an operation of the resource.
func resource(suffix string) func(*target.Target, bool) (string, error) {
	return func(t *target.Target, _ bool) (string, error) {
		if inV1(t.Options.AzureAPIVersion) {
			return "/openai/v1" + suffix, nil
		}
		return "/openai" + suffix, nil
	}
}

// media returns the Path of an operation of the deployment, as the API requires;
// without a deployment it is the path in Kong's documentation.
func media(suffix string) func(*target.Target, bool) (string, error) {
	inDeployment, resource := deployment(suffix), resource(suffix)
	return func(t *target.Target, stream bool) (string, error) {
		if t.Options.AzureDeploymentID == "" {
			return resource(t, stream)
		}
		return inDeployment(t, stream)
	}
}

// datedPreview reports whether a version belongs to the API before /openai/v1.
func datedPreview(version string) bool {
	return strings.HasSuffix(version, "-preview") && strings.HasPrefix(version, "20")
}

// realtime returns the preview's path for a dated preview. Otherwise it returns the
// path of general availability, where the model is the name of a deployment.
// https://learn.microsoft.com/en-us/azure/ai-foundry/openai/how-to/realtime-audio-websockets
func realtime(t *target.Target, _ bool) (string, error) {
	name := t.Options.AzureDeploymentID
	if name == "" {
		name = t.Model
	}
	if datedPreview(t.Options.AzureAPIVersion) {
		return "/openai/realtime?deployment=" + url.QueryEscape(name), nil
	}
	return "/openai/v1/realtime?model=" + url.QueryEscape(name), nil
}

// onlyV1 reports whether a route's operation is below /openai/v1 whatever the version.
func onlyV1(r route.Type) bool {
	return r == route.Responses || r == route.Conversations || r == route.Containers
}

// version returns the api-version for the query, or "" for none.
func version(t *target.Target) string {
	version := versionOf(t)
	if onlyV1(t.Route) && !inV1(version) { // which refuses dates
		return ""
	}
	switch t.Route {
	case route.Chat, route.Completions, route.Embeddings, route.Responses, route.Conversations, route.Containers:
		if version == "v1" { // is what /openai/v1 is without
			return ""
		}
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
