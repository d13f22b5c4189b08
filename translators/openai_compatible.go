package translators

import (
	"slices"
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/huggingface"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// operations are a provider's, by route type.
type operations = map[route.Type]*provider.Operation

// At is a Base that is the same for all targets.
func At(url string) func(*target.Target) (string, error) {
	return func(*target.Target) (string, error) { return url, nil }
}

func path(p string) func(*target.Target, bool) (string, error) {
	return func(*target.Target, bool) (string, error) { return p, nil }
}

// ChatAt is chat in OpenAI's format at a path, with the API's differences.
func ChatAt(p string, edit provider.Edit) *provider.Operation {
	return chatOf(path(p), edit, openai.Upstream{})
}

func chatOf(path func(*target.Target, bool) (string, error), edit provider.Edit, upstream openai.Upstream) *provider.Operation {
	return &provider.Operation{
		Path: path, Format: provider.OpenAIChat, Meter: openai.Meter, Edit: edit,
		Chat: compatible{upstream, &edit}, Hosts: openai.Hosts, Fields: fieldsOf(&edit),
	}
}

// compatible is OpenAI's format with an API's differences, for clients that
// speak another format.
type compatible struct {
	openai.Upstream
	edit *provider.Edit
}

// AppendRequest implements chat.Upstream.
func (c compatible) AppendRequest(dst []byte, t *target.Target, req *chat.Request) ([]byte, error) {
	body, err := c.Upstream.AppendRequest(nil, t, req)
	if err != nil {
		return nil, err
	}
	if c.edit.Request != nil {
		body = c.edit.Request(nil, t, body)
	}
	members, err := jsonedit.Object(body, nil)
	if err != nil {
		return nil, err
	}
	var edits []jsonedit.Edit
	if c.edit.NoStreamOptions {
		edits = append(edits, jsonedit.Edit{Key: "stream_options"})
	}
	if c.edit.Spare != nil {
		for _, name := range c.edit.Spare(t) {
			edits = append(edits, jsonedit.Edit{Key: name})
		}
	}
	return jsonedit.Join(dst, c.edit.Apply(nil, t, body, members, edits)), nil
}

// ParseResponse implements chat.Upstream.
func (c compatible) ParseResponse(t *target.Target, body []byte) (*chat.Response, error) {
	resp, err := c.Upstream.ParseResponse(t, body)
	if err != nil && c.edit.NoAnswer != nil {
		return nil, c.edit.NoAnswer(body)
	}
	return resp, err
}

// fieldsOf rules the fields of OpenAI's format for an API that has all but
// those which edit names.
func fieldsOf(edit *provider.Edit) provider.Fields {
	fields := provider.Fields{}
	for _, name := range openai.Fields {
		fields[name] = provider.Mapped.With("as it is")
		renamed := edit.Rename != nil && edit.Rename(&target.Target{})[name] != ""
		if edit.Only != nil && !slices.Contains(edit.Only, name) && !renamed {
			fields[name] = provider.Dropped.With("not a member of the API")
		}
	}
	for _, name := range edit.Drop {
		fields[name] = provider.Dropped.With("the API refuses it")
	}
	if edit.NoStreamOptions {
		fields["stream_options"] = provider.Dropped.With("the API refuses it, and counts without")
	}
	return fields
}

func completionsAt(p string, edit provider.Edit) *provider.Operation {
	return &provider.Operation{Path: path(p), Format: provider.OpenAICompletions, Meter: openai.Meter, Edit: edit}
}

func embeddingsAt(p string) *provider.Operation {
	return &provider.Operation{Path: path(p), Format: provider.OpenAIEmbeddings, Meter: openai.Meter, NoStream: true}
}

func responsesAt(p string) *provider.Operation {
	return &provider.Operation{Path: path(p), Format: provider.OpenAIResponses, Meter: openai.ResponsesMeter}
}

// topK is refused by OpenAI's API ("Unrecognized request argument").
var topK = []string{"top_k"}

// openAI is the original.
// https://platform.openai.com/docs/api-reference
var openAI = &provider.Provider{
	Name:    "openai",
	Resizes: []string{"text-embedding-3"},
	Base:    At("https://api.openai.com"),
	Operations: provider.With(operations{
		route.Chat: chatOf(path("/v1/chat/completions"), provider.Edit{Drop: topK, Rename: reasoningLimit, Spare: refusedWhileReasoning},
			openai.Upstream{Effort: openAIEffort}),
		route.Completions: completionsAt("/v1/completions", provider.Edit{Drop: topK}),
		route.Embeddings:  embeddingsAt("/v1/embeddings"),
		route.Responses:   responsesAt("/v1/responses"),
	}, openAIRoutes),
}

// olderLimit is for APIs that know max_tokens only.
func olderLimit(*target.Target) map[string]string {
	return map[string]string{"max_completion_tokens": "max_tokens"}
}

// dashscope is Alibaba's Model Studio in its compatible mode; its own options
// (enable_thinking …) pass.
// https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope
var dashscope = &provider.Provider{
	Name: "dashscope",
	Base: func(t *target.Target) (string, error) {
		if in := t.Options.Dashscope.International; in != nil && !*in {
			return "https://dashscope.aliyuncs.com", nil
		}
		return "https://dashscope-intl.aliyuncs.com", nil
	},
	Operations: operations{
		route.Chat:             ChatAt("/compatible-mode/v1/chat/completions", provider.Edit{Rename: olderLimit, Request: systemRole}),
		route.Embeddings:       embeddingsAt("/compatible-mode/v1/embeddings"),
		route.ImageGenerations: {Path: path(aigc + "multimodal-generation/generation"), Format: provider.DashscopeImages, Resource: dashscopeImages{}, NoStream: true},
		route.ImageEdits:       {Path: path(aigc + "image2image/image-synthesis"), Format: provider.DashscopeImages, Resource: dashscopeImages{}, NoStream: true},
	},
}

// huggingFace is the router to the inference providers, which refuses members
// that it does not know, and takes the options of its API as headers.
// https://huggingface.co/docs/inference-providers/tasks/chat-completion
var huggingFace = &provider.Provider{
	Name:       "huggingface",
	OwnKey:     true,
	ModelLands: target.InModel,
	Base:       At("https://router.huggingface.co"),
	Native:     huggingface.Native,
	Client:     &huggingface.Client,
	Header: func(t *target.Target) (headers [][2]string) {
		if use := t.Options.Huggingface.UseCache; use != nil {
			headers = append(headers, [2]string{"x-use-cache", strconv.FormatBool(*use)})
		}
		if wait := t.Options.Huggingface.WaitForModel; wait != nil {
			headers = append(headers, [2]string{"x-wait-for-model", strconv.FormatBool(*wait)})
		}
		return headers
	},
	Operations: operations{
		route.Chat: ChatAt("/v1/chat/completions", provider.Edit{
			Only: []string{
				"model", "messages", "stream", "stream_options", "frequency_penalty", "logit_bias", "logprobs", "max_tokens", "n",
				"presence_penalty", "reasoning_effort", "response_format", "seed", "stop", "temperature", "tool_choice", "tools", "top_logprobs", "top_p",
			},
			Rename: olderLimit, Rewrite: reasoningContent, Request: systemRole, NoAnswer: huggingface.NoAnswer,
		}),
		route.Completions: huggingface.TextGeneration,
		route.Embeddings:  huggingface.FeatureExtraction,
		route.Videos:      restAt(path("/v1/videos"), provider.OpenAIVideo),
	},
}

// llama2 is any server of OpenAI's format, llama2_format "openai".
var llama2 = &provider.Provider{
	Name: "llama2",
	Kinds: []provider.Kind{
		{Name: "raw", Options: target.Options{Llama2Format: "raw"}},
		{Name: "ollama", Options: target.Options{Llama2Format: "ollama"}},
		{Name: "openai", Options: target.Options{Llama2Format: "openai"}},
	},
	Operations: operations{
		route.Chat:        ChatAt("/v1/chat/completions", provider.Edit{Drop: topK, Rewrite: reasoningContent}),
		route.Completions: completionsAt("/v1/completions", provider.Edit{Drop: topK}),
		route.Embeddings:  embeddingsAt("/v1/embeddings"),
	},
}

// mistral's API refuses members that it does not know, and says some things
// in words of its own.
// https://docs.mistral.ai/api/endpoint/chat
var mistral = &provider.Provider{
	Name: "mistral",
	Kinds: []provider.Kind{
		{Options: target.Options{MistralFormat: "openai"}},
		{Name: "ollama", Options: target.Options{MistralFormat: "ollama"}},
	},
	Resizes:   []string{"codestral-embed"},
	Embedding: func(o *target.Options) { o.MistralFormat = "openai" }, // the only one with embeddings
	Base:      At("https://api.mistral.ai"),
	Operations: operations{
		route.Chat: ChatAt("/v1/chat/completions", provider.Edit{
			Only: []string{
				"model", "messages", "stream", "temperature", "top_p", "max_tokens", "stop", "random_seed", "metadata", "response_format",
				"tools", "tool_choice", "presence_penalty", "frequency_penalty", "n", "prediction", "parallel_tool_calls",
				"prompt_mode", "reasoning_effort", "guardrails", "safe_prompt",
			},
			Rename:          mistralNames,
			NoStreamOptions: true,
			Request:         mistralRequest,
			Rewrite:         splitContent,
		}),
		route.Completions: completionsAt("/v1/completions", provider.Edit{Drop: topK}),
		route.Embeddings:  mistralEmbeddings,
	},
}

// mistralEmbeddings are as strict, and call the vectors' size otherwise.
// https://docs.mistral.ai/api/endpoint/embeddings
var mistralEmbeddings = func() *provider.Operation {
	op := embeddingsAt("/v1/embeddings")
	op.Edit = provider.Edit{
		Only:   []string{"model", "input", "metadata", "output_dimension", "output_dtype", "encoding_format"},
		Rename: func(*target.Target) map[string]string { return map[string]string{"dimensions": "output_dimension"} },
	}
	return op
}()

func mistralNames(*target.Target) map[string]string {
	return map[string]string{"seed": "random_seed", "max_completion_tokens": "max_tokens"}
}

// isHostLabel says whether s can stand in a host name before the first dot,
// dots allowed, so that no template can lead to another host.
func isHostLabel(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.') {
			return false
		}
	}
	return s != "" && s[0] != '.' && s[0] != '-'
}

// segment checks a value that becomes one segment of a path.
func segment(field, value string) (string, error) {
	for i := 0; i < len(value); i++ {
		c := value[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0) {
			return "", &chat.RequestError{Field: field, Message: strconv.Quote(value) + " cannot stand in a URL path"}
		}
	}
	if value == "" || value == "." || value == ".." {
		return "", &chat.RequestError{Field: field, Message: "must be set, to one segment of a URL path"}
	}
	return value, nil
}
