package plugin

import (
	"cmp"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// surface is what a client speaks on a route: the format of its bodies, how
// they are checked, and how they are translated when the target speaks another.
type surface struct {
	format provider.Format
	// dialect translates; nil where only a provider of the same format can answer.
	dialect chat.Dialect
	// check refuses a body that cannot be meant for this route.
	check func(body []jsonedit.Member, wanted route.Type) error
	// streams: a request may ask for a stream with `stream`.
	streams bool
	// tuned: the target's tuning options apply; limit is the member for
	// max_tokens where it has another name.
	tuned bool
	limit string
	// prose counts the words of the prompt, for estimates; nil where none are made.
	prose func(body []jsonedit.Member) int
	// take says how the body is taken in.
	take taking
	// model says whether a request names a model.
	model naming
	// form are the fields of which a form must have one, and formOnly says that
	// JSON is none.
	form     []string
	formOnly bool
	// onDemand: response_streaming "always" makes no stream of what the client
	// wants whole.
	onDemand bool
	// nested: the body may name models where they are neither read nor replaced.
	nested bool
	// rest: the method and the path below the operation's are the client's.
	rest *family
	// bareData: events go to the client as `data:` lines only (OpenAI's chat);
	// otherwise as they came.
	bareData bool
	// tokens: usage is logged under input_tokens and output_tokens too.
	tokens bool

	// Of native formats:

	// framing is that of the format's streams, and media their content type;
	// the zero values stand for server-sent events.
	framing frame.Kind
	media   string
	// ends: a stream says that it is complete; one that does not was cut off.
	ends bool
	// member is the body's member that names the model, "" for "model".
	member string
	// remodel, if set, puts the target's model in a body that repeats the path's.
	remodel func(body []byte, model string) []byte
}

// modelMember is the member of the body that names the model.
func (s *surface) modelMember() string { return cmp.Or(s.member, "model") }

// streamsByPath says whether the path asks for a stream, not the body: so it is
// with the formats that have no model in the body either.
func (s *surface) streamsByPath() bool { return s.model == modelInPath || s.model == modelIgnored }

// taking says how a request's body is taken in.
type taking int

const (
	takeJSON   taking = iota // whole, as a JSON object
	takeRaw                  // whole, whatever it is, and never changed (preserve)
	takeAny                  // JSON whole; any other type passes through unread
	takeUnread               // it passes through unread, whatever it is
	takeForm                 // a multipart form passes through; its model is looked for
	takeSocket               // there is none: the connection becomes a WebSocket
)

// naming says whether a request names a model.
type naming int

const (
	modelNeeded  naming = iota // here, or in the configuration
	modelTaken                 // if there is one
	modelInPath                // in the client's path, or in the configuration
	modelIgnored               // not at all: the API has none, or has it elsewhere
	modelInQuery               // in the query, or in the configuration
)

// openAISurfaces is what a client of the OpenAI format may speak, by route type.
var openAISurfaces = map[route.Type]*surface{
	route.Chat: {
		format: provider.OpenAIChat, dialect: openai.Chat, check: checkPrompt, streams: true, tuned: true,
		prose: openai.PromptWords, bareData: true,
	},
	route.Completions: {
		format: provider.OpenAICompletions, dialect: openai.Completions, check: checkPrompt, streams: true, tuned: true,
		prose: openai.PromptWords, bareData: true,
	},
	route.Embeddings: {format: provider.OpenAIEmbeddings, check: checkInput, prose: openai.PromptWords},
	route.Responses:  {format: provider.OpenAIResponses, dialect: openai.Responses, prose: openai.PromptWords, check: checkResponses, streams: true, tuned: true, limit: "max_output_tokens", tokens: true, rest: responses},
	route.Preserve:   {take: takeRaw, model: modelTaken},
	route.Files:      {format: provider.OpenAIFiles, take: takeForm, form: []string{"file"}, formOnly: true, model: modelTaken, rest: files},
	route.Batches:    {format: provider.OpenAIBatches, nested: true, check: checkBatch, model: modelTaken, rest: batches},
	route.Assistants: {format: provider.OpenAIAssistants, model: modelTaken, rest: assistants, streams: true, onDemand: true},
	route.Speech: {
		format: provider.OpenAISpeech, check: needs("input"),
	},
	route.Transcriptions: {
		format: provider.OpenAITranscriptions, take: takeForm, form: []string{"file"}, formOnly: true, streams: true, onDemand: true, tokens: true,
	},
	route.Translations: {
		format: provider.OpenAITranscriptions, take: takeForm, form: []string{"file"}, formOnly: true, tokens: true,
	},
	route.ImageGenerations: {format: provider.OpenAIImages, check: needs("prompt"), streams: true, onDemand: true, tokens: true},
	route.ImageEdits: {
		format: provider.OpenAIImages, check: needs("prompt"), take: takeForm, form: []string{"prompt"}, streams: true, onDemand: true, tokens: true,
	},
	route.Videos:   {format: provider.OpenAIVideo, check: needs("prompt"), take: takeForm, form: []string{"prompt"}, rest: videos},
	route.Realtime: {format: provider.OpenAIRealtime, take: takeSocket, model: modelInQuery, tokens: true},
}

// checkPrompt holds chat to messages and completions to a prompt, with Kong's texts.
func checkPrompt(body []jsonedit.Member, wanted route.Type) error {
	messages := filled(jsonedit.Find(body, "messages"))
	p := jsonedit.Find(body, "prompt")
	prompt := jsonedit.IsString(p) || filled(p)
	switch {
	case messages && prompt:
		return refuse(400, textTwoFormats)
	case !messages && !prompt && wanted == route.Completions:
		return badField("prompt", textNoPrompts)
	case !messages && !prompt:
		return badField("messages", textNoPrompts)
	case messages && wanted != route.Chat:
		return refuse(400, "[llm/v1/chat] message format is not compatible with ["+string(wanted)+"] route type")
	case prompt && wanted != route.Completions:
		return refuse(400, "[llm/v1/completions] message format is not compatible with ["+string(wanted)+"] route type")
	}
	return nil
}

func checkInput(body []jsonedit.Member, _ route.Type) error {
	if in := jsonedit.Find(body, "input"); !filled(in) && !text(in) {
		return missing("input")
	}
	return nil
}

func checkResponses(body []jsonedit.Member, _ route.Type) error {
	for _, k := range []string{"input", "prompt", "previous_response_id", "conversation"} {
		if v := jsonedit.Find(body, k); v != nil && !jsonedit.IsNull(v) {
			return nil
		}
	}
	return missing("input")
}

// checkBatch wants what a batch is made of: a file, or the requests themselves.
func checkBatch(body []jsonedit.Member, _ route.Type) error {
	if !text(jsonedit.Find(body, "input_file_id")) && !filled(jsonedit.Find(body, "requests")) {
		return &chat.Error{Status: 400, Type: chat.TypeOf(400), Param: "input_file_id", Message: "input_file_id: must name the file with the requests of the batch"}
	}
	return nil
}

// needs refuses a body without the string (or list) called name.
func needs(name string) func([]jsonedit.Member, route.Type) error {
	return func(body []jsonedit.Member, _ route.Type) error {
		if v := jsonedit.Find(body, name); !text(v) && !filled(v) {
			return missing(name)
		}
		return nil
	}
}

// filled says whether v is an array with something in it.
func filled(v []byte) bool {
	if len(v) == 0 || v[0] != '[' {
		return false
	}
	for _, c := range v[1:] {
		switch c {
		case ' ', '\t', '\r', '\n':
		case ']':
			return false
		default:
			return true
		}
	}
	return false
}

// text says whether v is a string with something in it.
func text(v []byte) bool { return jsonedit.IsString(v) && len(v) > 2 }
