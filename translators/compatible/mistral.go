package compatible

import (
	"slices"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/ollama"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Mistral is Mistral's API, or a server of Mistral's models in Ollama's format: the
// option mistral_format says which.
var Mistral = provider.InFormats(mistral, func(t *target.Target) string { return t.Options.MistralFormat },
	map[string]*provider.Provider{"ollama": &ollama.Provider})

// mistral is Mistral's API, which refuses members that it does not know and has other
// names for some.
// https://docs.mistral.ai/api/endpoint/chat
var mistral = &provider.Provider{
	Name: "mistral",
	Kinds: []provider.Kind{
		{Options: target.Options{MistralFormat: "openai"}},
		{Name: "ollama", Options: target.Options{MistralFormat: "ollama"}},
	},
	Resizes:   []string{"codestral-embed"},
	Embeds:    true,
	Embedding: func(o *target.Options) { o.MistralFormat = "openai" }, // the only one with embeddings
	Base:      provider.At("https://api.mistral.ai"),
	Reasons:   ofMistral,
	Operations: operations{
		route.Chat: openai.ChatAt("/v1/chat/completions", provider.Edit{
			Only: []string{
				"model", "messages", "stream", "temperature", "top_p", "max_tokens", "stop", "random_seed", "metadata", "response_format",
				"tools", "tool_choice", "presence_penalty", "frequency_penalty", "n", "prediction", "parallel_tool_calls",
				"prompt_mode", "reasoning_effort", "guardrails", "safe_prompt",
			},
			Rename:          mistralNames,
			NoStreamOptions: provider.Always,
			Request:         MistralRequest,
			Rewrite:         SplitContent,
			History:         MistralHistory,
			Models:          mistrals,
			Hosting:         mistralTools,
			Limits:          mistralLimits,
		}),
		route.Completions: openai.CompletionsAt("/v1/completions", provider.Edit{Drop: openai.TopK}),
		route.Embeddings:  mistralEmbeddings,
		// https://docs.mistral.ai/api/endpoint/classifiers
		route.Moderations: openai.RESTAt(provider.Path("/v1/moderations"), provider.OpenAIModerations),
	},
}

// mistralLimits: "Input should be less than or equal to 1.5", "top_p must be 1 when using
// greedy sampling".
//
//	https://github.com/SillyTavern/SillyTavern/pull/4856
//	https://github.com/devoxx/DevoxxGenieIDEAPlugin/issues/338
var mistralLimits = provider.Limits{Temperature: "1.5", Greedy: true}

// mistralEmbeddings refuse unknown members, too, and have another name for dimensions.
// https://docs.mistral.ai/api/endpoint/embeddings
var mistralEmbeddings = func() *provider.Operation {
	op := openai.EmbeddingsAt("/v1/embeddings")
	op.Edit = provider.Edit{
		Only:   []string{"model", "input", "metadata", "output_dimension", "output_dtype", "encoding_format"},
		Rename: func(*target.Target) map[string]string { return map[string]string{"dimensions": "output_dimension"} },
	}
	return op
}()

// thinkers are the models that take a thought in the history, by the beginnings of
// their names. https://docs.mistral.ai/capabilities/reasoning
var thinkers = []string{"magistral", "mistral-medium-3-5", "mistral-medium-2604", "mistral-medium-latest", "mistral-small-latest", "mistral-small-2603"}

// bridge stands between results and the user's next words, as an interrupted agent sends
// them: Mistral's models refuse a user behind results, and the system behind an answer
// ("Unexpected role 'user' after role 'tool'").
// https://github.com/mistralai/mistral-common/blob/main/src/mistral_common/protocol/instruct/validator.py
const bridge = "OK."

// mistralFamilies are parts of the names of Mistral's models.
// https://docs.mistral.ai/getting-started/models/models_overview
var mistralFamilies = []string{"mistral", "ministral", "magistral", "devstral", "codestral", "mixtral", "pixtral", "voxtral"}

func madeByMistral(model string) bool {
	model = strings.ToLower(model)
	return slices.ContainsFunc(mistralFamilies, func(f string) bool { return strings.Contains(model, f) })
}

// MistralHistory is an Edit.History: the API refuses members of messages that it does
// not know, and ids of calls of another form.
// https://docs.vllm.ai/en/stable/features/tool_calling/#mistral-models
func MistralHistory(t *target.Target) *provider.History {
	h := &provider.History{
		Only: []string{"role", "content", "name", "tool_calls", "tool_call_id", "prefix"}, Calls: knownOfCalls,
		Thought: provider.ThoughtNowhere, IDs: &chat.CallIDs{Exactly: 9}, Bridge: bridge,
	}
	for _, prefix := range thinkers {
		if strings.HasPrefix(t.Model, prefix) {
			h.Thought = provider.ThoughtInThinking
		}
	}
	return h
}

func mistralNames(*target.Target) map[string]string {
	return map[string]string{"seed": "random_seed", "max_completion_tokens": "max_tokens"}
}

// MistralRequest is SystemRole, and gives tool_choice "required" Mistral's name for it.
// https://docs.mistral.ai/capabilities/function_calling
func MistralRequest(dst []byte, t *target.Target, body []byte) []byte {
	edited := SystemRole(dst, t, body)
	if !jsonedit.Contains(edited, `"required"`) {
		return edited
	}
	members, err := jsonedit.Object(edited, nil)
	if err != nil || string(jsonedit.Find(members, "tool_choice")) != `"required"` {
		return edited
	}
	any := []jsonedit.Edit{{Key: "tool_choice", Value: []byte(`"any"`)}}
	return jsonedit.Join(nil, jsonedit.Splice(nil, edited, members, any))
}
