package plugin

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
)

// surface is what a client speaks on a route: the format of its bodies, how
// they are checked, and how they are translated when the target speaks another.
type surface struct {
	format provider.Format
	// dialect translates; nil where only a provider of the same format can answer.
	dialect chat.Dialect
	// check refuses a body that cannot be meant for this route.
	check func(body []jsonedit.Member, route string) error
	// streams: a request may ask for a stream with `stream`.
	streams bool
	// tuned: the target's tuning options apply.
	tuned bool
	// prose counts the words of the prompt, for estimates; nil where none are made.
	prose func(body []jsonedit.Member) int
	// take says how the body is taken in.
	take taking
	// model says whether a request names a model.
	model naming
	// file is the field that a form must have.
	file string
	// rest: the method and the path below the operation's are the client's.
	rest *family
	// bareData: events go to the client as `data:` lines only (OpenAI's chat);
	// otherwise as they came.
	bareData bool
	// tokens: usage is logged under input_tokens and output_tokens too.
	tokens bool
}

// taking says how a request's body is taken in.
type taking int

const (
	takeJSON taking = iota // whole, as a JSON object
	takeRaw                // whole, whatever it is, and never changed (preserve)
	takeAny                // JSON whole; any other type passes through unread
	takeForm               // a multipart form passes through; its model is looked for
)

// naming says whether a request names a model.
type naming int

const (
	modelNeeded naming = iota // here, or in the configuration
	modelTaken                // if there is one
)

// openAISurfaces is what a client of the OpenAI format may speak, by route type.
var openAISurfaces = map[string]*surface{
	"llm/v1/chat": {
		format: provider.OpenAIChat, dialect: openai.Chat, check: checkPrompt, streams: true, tuned: true,
		prose: openai.PromptWords, bareData: true,
	},
	"llm/v1/completions": {
		format: provider.OpenAICompletions, dialect: openai.Completions, check: checkPrompt, streams: true, tuned: true,
		prose: openai.PromptWords, bareData: true,
	},
	"llm/v1/embeddings": {format: provider.OpenAIEmbeddings, check: checkInput, prose: openai.PromptWords},
	"llm/v1/responses":  {format: provider.OpenAIResponses, check: checkResponses, streams: true, tokens: true, rest: responses},
	"preserve":          {take: takeRaw, model: modelTaken},
	"llm/v1/files":      {format: provider.OpenAIFiles, take: takeAny, model: modelTaken, rest: files},
	"llm/v1/batches":    {format: provider.OpenAIFiles, take: takeAny, model: modelTaken, rest: batches},
	"llm/v1/assistants": {format: provider.OpenAIFiles, take: takeAny, model: modelTaken, rest: assistants, streams: true},
	"audio/v1/audio/speech": {
		format: provider.OpenAIAudio, check: needs("input"), streams: false,
	},
	"audio/v1/audio/transcriptions": {format: provider.OpenAIAudio, take: takeForm, file: "file", tokens: true},
	"audio/v1/audio/translations":   {format: provider.OpenAIAudio, take: takeForm, file: "file", tokens: true},
	"image/v1/images/generations":   {format: provider.OpenAIImages, check: needs("prompt"), streams: true, tokens: true},
	"image/v1/images/edits":         {format: provider.OpenAIImages, take: takeForm, file: "prompt", tokens: true},
	"video/v1/videos/generations":   {format: provider.OpenAIVideo, take: takeAny, model: modelTaken, rest: videos},
}

// checkPrompt holds chat to messages and completions to a prompt, with Kong's texts.
func checkPrompt(body []jsonedit.Member, route string) error {
	messages := filled(jsonedit.Find(body, "messages"))
	p := jsonedit.Find(body, "prompt")
	prompt := jsonedit.IsString(p) || filled(p)
	switch {
	case messages && prompt:
		return refuse(400, textTwoFormats)
	case !messages && !prompt:
		return refuse(400, textNoPrompts)
	case messages && route != "llm/v1/chat":
		return refuse(400, "[llm/v1/chat] message format is not compatible with ["+route+"] route type")
	case prompt && route != "llm/v1/completions":
		return refuse(400, "[llm/v1/completions] message format is not compatible with ["+route+"] route type")
	}
	return nil
}

func checkInput(body []jsonedit.Member, _ string) error {
	if in := jsonedit.Find(body, "input"); !filled(in) && !text(in) {
		return refuse(400, textNoPrompts)
	}
	return nil
}

func checkResponses(body []jsonedit.Member, _ string) error {
	for _, k := range []string{"input", "prompt", "previous_response_id", "conversation"} {
		if v := jsonedit.Find(body, k); v != nil && !jsonedit.IsNull(v) {
			return nil
		}
	}
	return refuse(400, textNoPrompts)
}

// needs refuses a body without the string (or list) called name.
func needs(name string) func([]jsonedit.Member, string) error {
	return func(body []jsonedit.Member, _ string) error {
		if v := jsonedit.Find(body, name); !text(v) && !filled(v) {
			return refuse(400, textNoPrompts)
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
