// Package provider says what a provider is: data first. An operation that a
// provider does not have is absent from its table.
package provider

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Provider is an upstream API.
type Provider struct {
	Name string
	// Base is scheme, host and common path of the API for t: "https://api.openai.com".
	// An error names the missing option. Nil where only upstream_url can say it.
	Base func(t *target.Target) (string, error)
	// Prefix, if set, is the path that stands before options.upstream_path
	// (azure: the deployment's). It is "" by default.
	Prefix func(t *target.Target) string
	// PathOverURL: options.upstream_path also overrides the path of
	// options.upstream_url (gemini, bedrock).
	PathOverURL bool
	// Header are constant headers for the upstream, e.g. anthropic-version.
	Header func(t *target.Target) [][2]string
	// Query are constant query parameters that the client's own override, e.g. api-version.
	Query func(t *target.Target) [][2]string
	// Operations by route_type.
	Operations map[route.Type]*Operation
	// Native are the operations for clients that speak a format of the
	// provider's own, by that format; see Find.
	Native map[Format]*Operation
	// Variant, if set, returns the provider that really serves t (mistral in
	// ollama's format, Vertex for gemini); itself when there is no other.
	Variant func(t *target.Target) *Provider
	// Kinds are examples of targets: of the options without which the provider
	// cannot be used, and of those and the models for which Variant returns another.
	Kinds []Kind
	// Client, if set, is a format of the provider's own that clients may speak.
	Client *ClientFormat
	// PlainModel, if set, is the one name of a model that the API knows by several.
	PlainModel func(name string) string
	// Identity is how it knows who calls, beside by a key.
	Identity Identity
	Service  string // AWS's name of the service, which is part of a signature
	// OwnKey: the configured key always wins, and allow_override has no effect.
	OwnKey bool
	// ModelLands says what may stand in a model's name that is in the URL;
	// target.Nowhere where the name is in the body. Names may begin with ModelPrefix.
	ModelLands  target.Landing
	ModelPrefix string
	// Resizes are parts of the names of embedding models that shorten their
	// vectors on request; others refuse the parameter.
	Resizes []string
	// Embedding, if set, completes the options of a target of the semantic
	// router, which can be given fewer than others.
	Embedding func(o *target.Options)
	// Check, if set, says what is wrong with a use of the provider, beside what
	// the rows of target.List say of each option.
	Check func(u *Use) []Finding
}

// Find returns the operation for a client's format on a route: one whose bodies
// are of that format, or else the route's, which translates; nil when there is
// neither.
func (p *Provider) Find(client Format, wanted route.Type) *Operation {
	if op := p.Native[client]; op != nil {
		return op
	}
	return p.Operations[wanted]
}

// Operation is one thing a provider can do.
type Operation struct {
	// Base, if set, is used instead of the provider's.
	Base func(t *target.Target) (string, error)
	// Path is the path below Base for t, escaped. stream says whether the
	// answer will be a stream.
	Path func(t *target.Target, stream bool) (string, error)
	// Format names the wire format of the bodies: where it equals the client's,
	// bodies are not decoded.
	Format Format
	// Chat translates chat and completions where Format is not the client's.
	Chat chat.Upstream
	// Meter reads usage from answers that are forwarded unchanged.
	Meter chat.Meter
	// MeterHeaders, if set, reads usage from headers, for answers that have none
	// in their body.
	MeterHeaders func(h http.Header, seen *chat.Seen)
	// Fields rules every request field of the OpenAI format (field law).
	Fields Fields
	// Edit are the changes that a same-format body needs for this provider.
	Edit Edit
	// Tune, if set, returns the edits of a client's body of the same native
	// format, with members ms, that the options of t ask for: tuning options and
	// how the request is served.
	Tune func(t *target.Target, ms []jsonedit.Member) []jsonedit.Edit
	// Header, if set, are headers of this operation, beside the provider's.
	Header func(t *target.Target) [][2]string
	// Unwrap, if set, takes an event of the operation's format out of the one
	// that the provider wraps around it: it returns the event's type and its
	// data, appended to dst, or nil data where there is none.
	Unwrap func(dst []byte, ev frame.Event) (kind, data []byte)
	// OwnErrors: errors are not of Format, but of the provider's own.
	OwnErrors bool
	// NoStream: the operation cannot stream.
	NoStream bool
	// Body translates an operation that is no chat (embeddings, images …) from
	// OpenAI's format; nil where the format is the client's.
	Body Translator
	// Resource translates a family of REST operations that is not OpenAI's.
	Resource Resource
	// Opening, if set, checks and changes the first message of a client that
	// talks over a WebSocket. It returns message itself when there is nothing to
	// do. Errors are *chat.RequestError, and end the session.
	Opening func(t *target.Target, message []byte) ([]byte, error)
}

// Translator turns one operation's bodies from and to OpenAI's format.
type Translator interface {
	AppendRequest(dst []byte, t *target.Target, body []byte) ([]byte, error)
	// AppendResponse writes the answer in OpenAI's format and the usage it found.
	AppendResponse(dst []byte, t *target.Target, body []byte, meta chat.Meta, seen *chat.Seen) ([]byte, error)
}

// Resource turns the operations on videos, batches or files of OpenAI's API,
// which are told apart by method and path, into a provider's. It is pure.
type Resource interface {
	// Request returns the provider's request for a client's. Errors are
	// *chat.RequestError, also for operations that the provider does not have.
	Request(t *target.Target, client *Call, meta chat.Meta) (*Call, error)
	// Answer returns what the client gets for the body of a 2xx. Errors are
	// *chat.ResponseError, or a *chat.Error that the client is told.
	Answer(t *target.Target, client *Call, body []byte, meta chat.Meta, seen *chat.Seen) (*Reply, error)
}

// Call is a request of a Resource.
type Call struct {
	Method string
	// Path is the client's path below the family's, "" or "/{id}/content"; of
	// the provider's request the whole path, escaped, with its query.
	Path   string
	Query  string // the client's, raw
	Body   []byte // JSON, nil for none
	Header [][2]string
}

// Reply is what a Resource answers: a body, or another call, of which the
// answer is the client's.
type Reply struct {
	Body        []byte
	ContentType string // "" is JSON
	Next        *Call
	// Wait: what the client wants is not ready. Next asks for it after a pause,
	// and its answer goes to Answer again.
	Wait bool
}

// Edit are the small differences of an OpenAI-compatible API.
type Edit struct {
	// Drop are top-level members that the API refuses.
	Drop []string
	// Only, if set, are the members that the API knows: others are dropped.
	Only []string
	// Rename maps members' names to the provider's own ("seed": "random_seed")
	// for t; nil where none differ.
	Rename func(t *target.Target) map[string]string
	// Spare, if set, are members that t's model refuses. They are left out for
	// clients of another format, who did not mean this API's rules; a client of
	// this one is told.
	Spare func(t *target.Target) []string
	// Set adds members computed from the target, as raw JSON.
	Set func(t *target.Target) []chat.Member
	// NoStreamOptions: the API refuses stream_options.
	NoStreamOptions bool
	// Rewrite, if set, changes an answer's JSON (whole or one event's data)
	// that is not quite OpenAI's: it returns data itself when there is nothing
	// to do, or the new text appended to dst.
	Rewrite func(dst, data []byte) []byte
	// Headers are members that stand for a header of the format, by the
	// header's canonical name.
	Headers map[string]HeaderMember
	// Request, if set, changes a client's body of the same format that the
	// provider would refuse: it returns body itself when there is nothing to
	// do, or the new body appended to dst.
	Request func(dst, body []byte) []byte
	// NoAnswer, if set, says of a 200 without choices why it is no answer: a
	// *chat.ResponseError.
	NoAnswer func(body []byte) error
}

// HeaderMember is a header whose values, between commas, an API takes as a list
// of strings in the body.
type HeaderMember struct {
	Name string   // of the member
	Only []string // values that the API knows: it refuses others, which are left out
}

// List is the member's value, a JSON array, for the values of the header; nil
// where the API knows none of them.
func (m HeaderMember) List(values []string) []byte {
	var list []byte
	for _, v := range values {
		for one := range strings.SplitSeq(v, ",") {
			if one = strings.TrimSpace(one); slices.Contains(m.Only, one) {
				list = jsonedit.AppendString(append(list, ','), one)
			}
		}
	}
	if list == nil {
		return nil
	}
	list[0] = '['
	return append(list, ']')
}

// Format is the name of a wire format.
type Format string

// The wire formats.
const (
	OpenAIChat        Format = "openai/chat"
	OpenAICompletions Format = "openai/completions"
	OpenAIEmbeddings  Format = "openai/embeddings"
	OpenAIResponses   Format = "openai/responses"
	OpenAIFiles       Format = "openai/files"      // by REST
	OpenAIBatches     Format = "openai/batches"    // by REST
	OpenAIAssistants  Format = "openai/assistants" // by REST, threads too
	OpenAIImages      Format = "openai/images"
	OpenAISpeech      Format = "openai/speech"
	OpenAIVideo       Format = "openai/video"     // by REST
	AzureVideoJobs    Format = "azure/video-jobs" // by REST
	OpenAIRealtime    Format = "openai/realtime"  // a WebSocket
	// OpenAITranscriptions are translations of speech, too.
	OpenAITranscriptions Format = "openai/transcriptions"
	AnthropicMessages    Format = "anthropic/messages"
	AnthropicCount       Format = "anthropic/count_tokens"
	AnthropicBatches     Format = "anthropic/batches" // by REST
	AnthropicComplete    Format = "anthropic/complete"
	BedrockConverse      Format = "bedrock/converse"
	BedrockInvoke        Format = "bedrock/invoke"
	BedrockRetrieve      Format = "bedrock/retrieveAndGenerate"
	BedrockRerank        Format = "bedrock/rerank"
	BedrockAsync         Format = "bedrock/async-invoke"         // by REST
	BedrockJobs          Format = "bedrock/model-invocation-job" // by REST
	GeminiGenerate       Format = "gemini/generate"
	GeminiCount          Format = "gemini/countTokens"
	GeminiEmbed          Format = "gemini/embedContent"
	GeminiEmbedBatch     Format = "gemini/batchEmbedContents"
	GeminiBatch          Format = "gemini/batchGenerateContent"
	GeminiLive           Format = "gemini/live" // a WebSocket
	GeminiPredict        Format = "gemini/predict"
	GeminiPredictLong    Format = "gemini/predictLongRunning"
	GeminiFetch          Format = "gemini/fetchPredictOperation"
	GeminiFiles          Format = "gemini/files"               // by REST
	GeminiUpload         Format = "gemini/upload"              // by REST
	GeminiBatches        Format = "gemini/batches"             // by REST
	GeminiOperations     Format = "gemini/operations"          // by REST
	VertexJobs           Format = "vertex/batchPredictionJobs" // by REST
	VertexRank           Format = "vertex/rank"                // by REST
	DashscopeImages      Format = "dashscope/images"
	CohereChatV2         Format = "cohere/chat-v2"
	CohereChatV1         Format = "cohere/chat-v1"
	CohereGenerate       Format = "cohere/generate"
	CohereRerankV2       Format = "cohere/rerank-v2"
	CohereRerankV1       Format = "cohere/rerank-v1"
	CohereEmbed          Format = "cohere/embed"
	CohereEmbedV1        Format = "cohere/embed-v1"
	OllamaChat           Format = "ollama/chat"
	OllamaGenerate       Format = "ollama/generate"
	OllamaEmbed          Format = "ollama/embed"
	HuggingfaceTGI       Format = "huggingface/generate"
	HuggingfaceVector    Format = "huggingface/feature-extraction"
	Llama2Raw            Format = "llama2/raw"
)

// Treatment is what happens to a request field at a provider.
type Treatment string

// The treatments.
const (
	Mapped  Treatment = "mapped"  // it changes the provider's body
	Refused Treatment = "refused" // 400 naming the field
	Dropped Treatment = "dropped" // the provider has nothing like it; Note says so
)

// With is the rule that a field is treated so; note says where it goes, or why not.
func (t Treatment) With(note string) Field { return Field{Treatment: t, Note: note} }

// Field rules one field of the client's format.
type Field struct {
	Treatment Treatment
	Note      string // where it goes, or why not
}

// Fields rules request fields by name. A field without a rule is a failure of
// the field law.
type Fields map[string]Field

// With returns ops with more added to it.
func With(ops, more map[route.Type]*Operation) map[route.Type]*Operation {
	maps.Copy(ops, more)
	return ops
}
