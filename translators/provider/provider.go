// Package provider defines what a provider is. A provider is mostly data: a table
// of operations, from which those that it does not have are absent. Start with
// Provider, then Operation.
package provider

import (
	"maps"
	"net/http"
	"slices"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Provider is an upstream API.
type Provider struct {
	Name string
	// Base returns scheme, host and common path of the API for t:
	// "https://api.openai.com". An error names the missing option. Base is nil if
	// the address can only come from upstream_url.
	Base func(t *target.Target) (string, error)
	// Prefix, if set, returns the path that goes before options.upstream_path
	// (azure: the deployment's).
	Prefix func(t *target.Target) string
	// PathOverURL means that options.upstream_path also overrides the path of
	// options.upstream_url (gemini, bedrock).
	PathOverURL bool
	// Header returns constant headers for the upstream, e.g. anthropic-version.
	Header func(t *target.Target) [][2]string
	// Query returns query parameters, e.g. api-version, that replace those of the client.
	// One with an empty value is not sent at all.
	Query func(t *target.Target) [][2]string
	// Asked, if set, returns t with the options that a client may set in its query.
	Asked func(t *target.Target, query string) *target.Target
	// Operations holds the operations by route_type.
	Operations map[route.Type]*Operation
	// Native holds the operations for clients that speak one of the provider's
	// own formats, by that format; see Find.
	Native map[Format]*Operation
	// Counter, if set, counts the tokens of a prompt for clients of any format.
	Counter *Operation
	// Variant, if set, returns the provider that actually serves t (mistral in
	// ollama's format, Vertex for gemini), or this one if no other does.
	Variant func(t *target.Target) *Provider
	// Kinds are example targets: with the options that the provider requires, and
	// with those options and models for which Variant returns another provider.
	Kinds []Kind
	// Client, if set, is the provider's own format, which clients may speak.
	Client *ClientFormat
	// Understands lists the formats of other vendors whose Headers the API takes, too.
	Understands []string
	// PlainModel, if set, returns the canonical name of a model that the API knows
	// under several names.
	PlainModel func(name string) string
	// PriceNames, if set, returns other names under which a price list may have a
	// model, the nearest one first.
	PriceNames func(model string) []string
	// Identity says how requests are authenticated other than by a key.
	Identity Identity
	// Service, if set, returns AWS's name of the service that t is at, which is a part of
	// a signature.
	Service func(t *target.Target) string
	// KeyEnv is the environment variable with a key that is sent as a bearer token if no
	// credentials are configured; "" for none.
	KeyEnv string
	// Audience, if set, returns what Microsoft's tokens for t are for, if that is not
	// Azure's AI services: "https://ai.azure.com/"; "" if it is.
	Audience func(t *target.Target) string
	// OwnKey means that the configured key always wins and allow_override has no
	// effect. If the provider also has an Identity, the schema refuses allow_override.
	OwnKey bool
	// ModelLands says where in the URL the model's name goes, and so which
	// characters it may have. It is target.Nowhere if the name is in the body.
	// Names may begin with ModelPrefix.
	ModelLands  target.Landing
	ModelPrefix string
	// Resizes lists parts of names of embedding models that can shorten their
	// vectors on request. Other models refuse the parameter.
	Resizes []string
	// Embeds means that the semantic router can use the provider's embedding models.
	Embeds bool
	// Embedding, if set, completes the options of the semantic router's embedding
	// target, for which fewer options can be configured.
	Embedding func(o *target.Options)
	// Reasons says what the errors of the API mean, of all its variants.
	Reasons chat.Reasons
	// Check, if set, returns what is wrong with a use of the provider, in addition
	// to the checks of target.List's rows.
	Check func(u *Use) []Finding
}

// Find returns the operation for a client's format on a route: the one whose
// bodies have that format, or else the route's, which translates. It returns nil
// if there is neither.
func (p *Provider) Find(client Format, wanted route.Type) *Operation {
	if op := p.Native[client]; op != nil {
		return op
	}
	return p.Operations[wanted]
}

// Speaks reports whether some API of a client's format is also one of the provider's.
func (p *Provider) Speaks(f *ClientFormat) bool {
	return slices.ContainsFunc(f.Paths, func(c ClientPath) bool { return p.Native[c.API.Format] != nil })
}

// AppendRequest writes req as the operation's body for t to dst. Opaque tokens of
// other origins and attribution lines are left out, and calls are paired with results.
func (o *Operation) AppendRequest(dst []byte, t *target.Target, req *chat.Request) ([]byte, error) {
	return o.Chat.AppendRequest(dst, t, req.Owned(o.Own(t)).Unattributed().Paired())
}

// Own returns the origin whose opaque tokens t makes and takes.
func (o *Operation) Own(t *target.Target) origin.Name {
	if o.Origin != nil {
		return o.Origin(t)
	}
	return origin.Name(t.Provider)
}

// Tunes reports whether t's model takes the tuning option called name.
func (o *Operation) Tunes(t *target.Target, name string) bool {
	if model := o.Edit.Models.Of(t.Model); model != nil && slices.Contains(model.Refuses, name) {
		return false
	}
	return o.Untuned == nil || !slices.Contains(o.Untuned(t), name)
}

// Operation is one thing a provider can do.
type Operation struct {
	// Base, if set, is used instead of the provider's.
	Base func(t *target.Target) (string, error)
	// Path is the path below Base for t, escaped. stream says whether the
	// answer will be a stream.
	Path func(t *target.Target, stream bool) (string, error)
	// Format names the wire format of the bodies. If it equals the client's format,
	// bodies are not decoded.
	Format Format
	// Chat translates chat and completions if Format is not the client's format.
	Chat chat.Upstream
	// Query, if set, is used instead of the provider's.
	Query func(t *target.Target) [][2]string
	// Rephrase, if set, reports whether a client's body of the same format, with members
	// ms, has something that the API or t's model refuses and that Chat puts in other words.
	// Such a request is translated.
	Rephrase func(t *target.Target, ms []jsonedit.Member) bool
	// Instead, if set, is another operation, for requests that this one's API refuses.
	Instead *Instead
	// Hosts, if set, reports whether t runs a hosted tool itself, beside what else r
	// asks for. Chat writes those that it does; see Offer for the others.
	Hosts func(t *target.Target, r *chat.Request, tool *chat.Tool) bool
	// Meter reads usage from answers that are forwarded unchanged.
	Meter chat.Meter
	// MeterHeaders, if set, reads usage from the headers of answers that have none
	// in the body.
	MeterHeaders func(h http.Header, seen *chat.Seen)
	// Fields says how each request field of the OpenAI format is treated (the field
	// law).
	Fields Fields
	// Edit holds the changes that a same-format body needs for this provider.
	Edit Edit
	// Caveats, if set, returns what of a client's translated request t's model is not
	// asked for, although it could do it, in words for the record.
	Caveats func(t *target.Target, r *chat.Request) []string
	// Models, if set, returns the table of models that Chat knows. A table of
	// Edit.Models is not repeated here.
	Models func() []Facts
	// Untuned, if set, returns those of temperature, top_p and top_k that t's model
	// refuses, so that the options of these names have no effect.
	Untuned func(t *target.Target) []string
	// Caching says how prompts are kept in the provider's cache; nil if that cannot be
	// asked for.
	Caching *Caching
	// Tune, if set, returns the edits that the options of t require in a client's
	// body of the same native format, with members ms: tuning options and how the
	// request is served.
	Tune func(t *target.Target, ms []jsonedit.Member) []jsonedit.Edit
	// Needs, if set, returns headers that a translated request needs for what it asks.
	Needs func(r *chat.Request) [][2]string
	// Header, if set, returns headers of this operation in addition to the
	// provider's.
	Header func(t *target.Target) [][2]string
	// Unwrap, if set, takes an event of the operation's format out of the event
	// that the provider wraps around it. It returns the inner event's type, and its
	// data appended to dst, or nil data if there is no inner event.
	Unwrap func(dst []byte, ev frame.Event) (kind, data []byte)
	// Parts, if set, means that streamed answers are AWS event streams whose payloads
	// are parts of a stream in Format. It is the header that has that stream's media type.
	Parts string
	// OwnErrors means that errors are not in Format but in the provider's own format.
	OwnErrors bool
	// Origin, if set, returns whose the opaque tokens in answers of t are, which are
	// also those that it takes back. If not set, they are the provider's own.
	Origin func(t *target.Target) origin.Name
	// NoStream means that the operation cannot stream.
	NoStream bool
	// Body translates an operation other than chat (embeddings, images …) from
	// OpenAI's format. It is nil if no translation is needed.
	Body Translator
	// Counter, if set, makes the body of an operation that counts tokens of that of
	// the provider's chat, and reads its answer.
	Counter *Counter
	// Resource translates a family of OpenAI's REST operations to another API.
	Resource Resource
	// Opening, if set, checks and changes the first message of a WebSocket client.
	// It returns message itself if there is nothing to change. Errors are
	// *chat.RequestError and end the session.
	Opening func(t *target.Target, message []byte) ([]byte, error)
}

// Instead is an operation of another of the provider's APIs, which some models need for
// all requests or for some.
type Instead struct {
	Operation *Operation // its Chat translates
	// Request reports whether t's model needs it for a translated request, and Body
	// whether it does for a client's body, with members ms, in the format of the API
	// that it is instead of.
	Request func(t *target.Target, r *chat.Request) bool
	Body    func(t *target.Target, ms []jsonedit.Member) bool
	// Leaves means that a client's body goes to Operation although some of its tools are
	// left out there, or although it is refused there: the other API would ignore it.
	Leaves bool
}

// Translator translates one operation's bodies from and to OpenAI's format.
type Translator interface {
	// AppendRequest writes the body, in OpenAI's format, as the provider's for t to dst.
	// Errors are *chat.RequestError.
	AppendRequest(dst []byte, t *target.Target, body []byte) ([]byte, error)
	// AppendResponse writes the provider's answer in OpenAI's format to dst, and its usage
	// to seen. Errors are *chat.ResponseError.
	AppendResponse(dst []byte, t *target.Target, body []byte, meta chat.Meta, seen *chat.Seen) ([]byte, error)
}

// Resource translates OpenAI's operations on videos, batches or files, which are
// distinguished by method and path, into a provider's. It is pure.
type Resource interface {
	// Request returns the provider's request for a client's request. Errors are
	// *chat.RequestError, also for operations that the provider does not have.
	Request(t *target.Target, client *Call, meta chat.Meta) (*Call, error)
	// Answer returns the client's answer for the body of a 2xx. Errors are
	// *chat.ResponseError, or *chat.Error, which is sent to the client.
	Answer(t *target.Target, client *Call, body []byte, meta chat.Meta, seen *chat.Seen) (*Reply, error)
}

// Call is a request of a Resource.
type Call struct {
	Method string
	// Path of a client's request is the part below the family's path: "" or
	// "/{id}/content". Path of a provider's request is the whole path, escaped,
	// with the query.
	Path   string
	Query  string // the client's, raw
	Body   []byte // JSON, nil for none
	Header [][2]string
}

// Reply is the result of a Resource's Answer: a body, or another call whose answer
// goes to the client.
type Reply struct {
	Body        []byte
	ContentType string // "" is JSON
	Next        *Call
	// Wait means that the result is not ready yet. Next is called after a pause,
	// and its answer is passed to Answer again.
	Wait bool
}

// Edit describes how an OpenAI-compatible API differs from OpenAI's.
type Edit struct {
	// Drop lists top-level members that the API refuses; they are removed.
	Drop []string
	// Only, if set, lists the members that the API knows; all others are removed.
	Only []string
	// Rename, if set, returns the provider's names of members that it calls
	// differently for t ("seed": "random_seed"); nil if there are none.
	Rename func(t *target.Target) map[string]string
	// CustomTools means that the API has OpenAI's tools of the type custom, which are
	// functions at others, and the functions that were before there were tools.
	CustomTools bool
	// Models says what the API's models take. Clients of another format, which cannot
	// know it, have the rest fitted or left out. A client of this format gets the API's
	// error.
	Models Families
	// Hosting is the table of the tools that the API runs itself.
	Hosting Hostings
	// Set, if set, returns members to add, computed from the target, as raw JSON.
	Set func(t *target.Target) []chat.Member
	// NoStreamOptions, if set, reports whether the API refuses stream_options for t.
	NoStreamOptions func(t *target.Target) bool
	// Rewrite, if set, corrects an answer's JSON (whole or one event's data) that
	// differs slightly from OpenAI's. It returns data itself if there is nothing to
	// change, or the new text appended to dst.
	Rewrite func(dst, data []byte) []byte
	// Fit, if set, makes a body of the same format one that this platform takes, if it
	// serves a part of the format only.
	Fit *Fit
	// Request, if set, corrects a client's body of the same format that the
	// provider would refuse for t. It returns body itself if there is nothing to
	// change, or the new body appended to dst.
	Request func(dst []byte, t *target.Target, body []byte) []byte
	// Limits are the ranges of settings that clients of another format are fitted to.
	Limits Limits
	// Refusals are the errors after which a request is made again with less.
	Refusals []Refusal
	// History, if set, says what the API takes of a conversation's messages for t.
	History func(t *target.Target) *History
	// NoAnswer, if set, returns the error for a 200 without choices: a
	// *chat.ResponseError with the reason.
	NoAnswer func(body []byte) error
}

// Fit fits a client's body to a platform that serves a part of its format.
type Fit struct {
	// Header is the canonical name of the header that names the parts of the format
	// which a client uses, as comma-separated values. Member is the member of the body,
	// a list of strings, that the platform has instead; "" for none.
	Header, Member string
	// Body returns the body as the platform takes it for a model, those of the header's
	// values that it knows, and the names of hosted tools that are left out. Errors are
	// *chat.RequestError.
	Body func(model string, body []byte, values []string) (fitted []byte, known, left []string, err error)
}

// Format is the name of a wire format.
type Format string

// The wire formats.
const (
	OpenAIChat        Format = "openai/chat"
	OpenAICompletions Format = "openai/completions"
	OpenAIEmbeddings  Format = "openai/embeddings"
	OpenAIResponses   Format = "openai/responses"
	OpenAIInputTokens Format = "openai/input_tokens"
	OpenAIFiles       Format = "openai/files"      // by REST
	OpenAIBatches     Format = "openai/batches"    // by REST
	OpenAIAssistants  Format = "openai/assistants" // by REST, threads too
	OpenAIModerations Format = "openai/moderations"
	// By REST:
	OpenAIConversations Format = "openai/conversations"
	OpenAIVectorStores  Format = "openai/vector_stores"
	OpenAIContainers    Format = "openai/containers"
	OpenAIUploads       Format = "openai/uploads"
	OpenAISkills        Format = "openai/skills"
	AnthropicSkills     Format = "anthropic/skills"

	OpenAIImages   Format = "openai/images"
	OpenAISpeech   Format = "openai/speech"
	OpenAIVideo    Format = "openai/video"     // by REST
	AzureVideoJobs Format = "azure/video-jobs" // by REST
	OpenAIRealtime Format = "openai/realtime"  // a WebSocket
	// OpenAITranscriptions are translations of speech, too.
	OpenAITranscriptions Format = "openai/transcriptions"
	AnthropicMessages    Format = "anthropic/messages"
	AnthropicCount       Format = "anthropic/count_tokens"
	AnthropicBatches     Format = "anthropic/batches" // by REST
	AnthropicComplete    Format = "anthropic/complete"
	BedrockConverse      Format = "bedrock/converse"
	BedrockInvoke        Format = "bedrock/invoke"
	BedrockCount         Format = "bedrock/count-tokens"
	BedrockRetrieve      Format = "bedrock/retrieveAndGenerate"
	BedrockRerank        Format = "bedrock/rerank"
	BedrockAsync         Format = "bedrock/async-invoke"         // by REST
	BedrockJobs          Format = "bedrock/model-invocation-job" // by REST
	GeminiGenerate       Format = "gemini/generate"
	GeminiCount          Format = "gemini/countTokens"
	GeminiEmbed          Format = "gemini/embedContent"
	GeminiEmbedBatch     Format = "gemini/batchEmbedContents"
	GeminiBatch          Format = "gemini/batchGenerateContent"
	GeminiLive           Format = "gemini/live"         // a WebSocket
	GeminiInteractions   Format = "gemini/interactions" // by REST
	GeminiPredict        Format = "gemini/predict"
	GeminiPredictLong    Format = "gemini/predictLongRunning"
	GeminiFetch          Format = "gemini/fetchPredictOperation"
	GeminiFiles          Format = "gemini/files"               // by REST
	GeminiUpload         Format = "gemini/upload"              // by REST
	GeminiBatches        Format = "gemini/batches"             // by REST
	GeminiOperations     Format = "gemini/operations"          // by REST
	VertexJobs           Format = "vertex/batchPredictionJobs" // by REST
	VertexAnthropic      Format = "vertex/anthropic"
	VertexRank           Format = "vertex/rank" // by REST
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

// Treatment says what happens to a request field at a provider.
type Treatment string

// The treatments.
const (
	Mapped  Treatment = "mapped"  // it changes the provider's body
	Refused Treatment = "refused" // 400 naming the field
	Dropped Treatment = "dropped" // the provider has nothing like it; Note says so
)

// With returns a rule with this treatment. note says where the field goes, or why
// it does not.
func (t Treatment) With(note string) Field { return Field{Treatment: t, Note: note} }

// Field is the rule for one field of the client's format.
type Field struct {
	Treatment Treatment
	Note      string // where it goes, or why not
}

// Fields holds the rules by field name. A field without a rule breaks the field
// law.
type Fields map[string]Field

// With returns f and more; a field of both has the rule of more. f stays as it is.
func (f Fields) With(more Fields) Fields {
	all := maps.Clone(f)
	maps.Copy(all, more)
	return all
}

// With adds more to ops and returns ops.
func With(ops, more map[route.Type]*Operation) map[route.Type]*Operation {
	maps.Copy(ops, more)
	return ops
}
