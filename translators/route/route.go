// Package route defines the route types: the kinds of operations that clients may
// call, on any provider.
package route

import "strings"

// Type is a route_type, as configurations write it.
type Type string

// The route types.
const (
	Chat             Type = "llm/v1/chat"
	Completions      Type = "llm/v1/completions"
	Embeddings       Type = "llm/v1/embeddings"
	Responses        Type = "llm/v1/responses"
	Files            Type = "llm/v1/files"
	Batches          Type = "llm/v1/batches"
	Assistants       Type = "llm/v1/assistants"
	Conversations    Type = "llm/v1/conversations"
	Moderations      Type = "llm/v1/moderations"
	VectorStores     Type = "llm/v1/vector_stores"
	Containers       Type = "llm/v1/containers"
	Uploads          Type = "llm/v1/uploads"
	Skills           Type = "llm/v1/skills"
	Speech           Type = "audio/v1/audio/speech"
	Transcriptions   Type = "audio/v1/audio/transcriptions"
	Translations     Type = "audio/v1/audio/translations"
	ImageGenerations Type = "image/v1/images/generations"
	ImageEdits       Type = "image/v1/images/edits"
	Videos           Type = "video/v1/videos/generations"
	Realtime         Type = "realtime/v1/realtime"
	// Preserve takes any request, and changes nothing of it.
	Preserve Type = "preserve"
)

// Operation is what OpenTelemetry calls the kind of operation
// (gen_ai.operation.name): one of its well-known values, or the route type's own
// words where it has none.
// https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/
func (t Type) Operation() string {
	switch t {
	case Chat, Responses:
		return "chat"
	case Completions:
		return "text_completion"
	case Embeddings:
		return "embeddings"
	case ImageGenerations, ImageEdits, Videos:
		return "generate_content"
	}
	if i := strings.LastIndexByte(string(t), '/'); i >= 0 {
		t = t[i+1:]
	}
	return string(t)
}

// OfDefaultFormat are the route types that only clients of the default llm_format,
// OpenAI's, may use.
var OfDefaultFormat = []Type{Completions, Responses, Assistants, Conversations, Moderations, VectorStores, Containers, Uploads, Preserve}

// Join is strings.Join for route types.
func Join(types []Type, separator string) string {
	var b strings.Builder
	for i, t := range types {
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(string(t))
	}
	return b.String()
}

// All are the route types, in the order of the documentation.
var All = []Type{
	Chat, Completions, Embeddings, Responses, Files, Batches, Assistants, Conversations, Moderations, VectorStores, Containers, Uploads, Skills,
	Speech, Transcriptions, Translations, ImageGenerations, ImageEdits, Videos, Realtime, Preserve,
}
