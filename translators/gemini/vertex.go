package gemini

import (
	"maps"
	"slices"
	"strings"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/compatible"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// variant returns the provider that serves t: the public API, or on Vertex AI the
// publisher of the model, by its name, or the deployed endpoint.
func variant(t *target.Target) *provider.Provider {
	switch {
	case !onVertex(t) && modelOf(t.Model).systemAsWords:
		return gemma
	case !onVertex(t):
		return public
	case t.Options.Gemini.EndpointID != "":
		return vertexEndpoint
	case strings.HasPrefix(t.Model, "claude-"):
		return vertexClaude
	case strings.HasPrefix(t.Model, "mistral-"), strings.HasPrefix(t.Model, "codestral-"):
		return vertexMistral
	case strings.HasPrefix(t.Model, "jamba-"):
		return vertexJamba
	}
	return vertexGoogle
}

func onVertex(t *target.Target) bool {
	return t.Options != nil && t.Options.Gemini.APIEndpoint != ""
}

func vertexBase(t *target.Target) (string, error) {
	if err := host(t.Options.Gemini.APIEndpoint); err != nil {
		return "", err
	}
	return "https://" + t.Options.Gemini.APIEndpoint, nil
}

// location returns the path of the project's location.
func location(t *target.Target) (string, error) {
	g := &t.Options.Gemini
	if g.ProjectID == "" || g.LocationID == "" {
		return "", errNoProject
	}
	// A project that belongs to a domain is called "example.com:name".
	domain, name, found := strings.Cut(g.ProjectID, ":")
	if !found {
		domain, name = "", g.ProjectID
	}
	if found {
		if _, err := segment("model.options.gemini.project_id", domain); err != nil {
			return "", err
		}
	}
	if _, err := segment("model.options.gemini.project_id", name); err != nil {
		return "", err
	}
	place, err := segment("model.options.gemini.location_id", g.LocationID)
	if err != nil {
		return "", err
	}
	return "/v1/projects/" + g.ProjectID + "/locations/" + place, nil
}

// published returns the path function of a publisher's models.
func published(publisher string, method func(stream bool) string) func(*target.Target, bool) (string, error) {
	return func(t *target.Target, stream bool) (string, error) {
		at, err := location(t)
		if err != nil {
			return "", err
		}
		model, err := segment("model.name", strings.TrimPrefix(t.Model, "publishers/"+publisher+"/models/"))
		if err != nil {
			return "", err
		}
		return at + "/publishers/" + publisher + "/models/" + model + method(stream), nil
	}
}

// rawPredict is the custom method of models that keep their maker's format.
// https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/use-partner-models
func rawPredict(stream bool) string {
	if stream {
		return ":streamRawPredict"
	}
	return ":rawPredict"
}

var vertexGoogle = func() *provider.Provider {
	p := vertex(provider.With(generateOperations(published("google", method), vertexFields), vertexRoutes))
	p.Native = vertexNative
	p.Counter = vertexNative[provider.GeminiCount]
	return p
}()

// vertexEndpoint is a model deployed from Model Garden, with OpenAI's chat format; the
// endpoint called "openapi" has Google's own models, as google/gemini-2.5-flash.
// https://cloud.google.com/vertex-ai/generative-ai/docs/start/openai
var vertexEndpoint = vertex(openAIChat(func(t *target.Target, _ bool) (string, error) {
	at, err := location(t)
	if err != nil {
		return "", err
	}
	id, err := segment("model.options.gemini.endpoint_id", t.Options.Gemini.EndpointID)
	if err != nil {
		return "", err
	}
	return at + "/endpoints/" + id + "/chat/completions", nil
}, provider.Edit{History: openai.HistoryOf}))

// vertexMistral takes OpenAI's chat format with two other names, and refuses unknown
// members. https://docs.mistral.ai/api
var vertexMistral = vertex(openAIChat(published("mistralai", rawPredict), provider.Edit{
	Only: []string{"model", "messages", "stream", "temperature", "top_p", "max_tokens", "stop", "random_seed",
		"frequency_penalty", "presence_penalty", "n", "prediction", "response_format", "reasoning_effort",
		"tools", "tool_choice", "parallel_tool_calls", "safe_prompt", "prompt_mode"},
	Rename:          renames(map[string]string{"seed": "random_seed", "max_completion_tokens": "max_tokens"}),
	NoStreamOptions: provider.Always,
	Request:         compatible.MistralRequest,
	Rewrite:         compatible.SplitContent,
	History:         compatible.MistralHistory,
}))

// vertexJamba takes OpenAI's chat format. https://docs.ai21.com/reference/jamba-1-6-api-ref
var vertexJamba = vertex(openAIChat(published("ai21", rawPredict), provider.Edit{
	Only: []string{"model", "messages", "stream", "temperature", "top_p", "max_tokens", "stop", "n",
		"response_format", "tools", "documents"},
	Rename:          renames(map[string]string{"max_completion_tokens": "max_tokens"}),
	NoStreamOptions: provider.Always,
	History:         compatible.StrictHistory,
}))

func renames(names map[string]string) func(*target.Target) map[string]string {
	return func(*target.Target) map[string]string { return names }
}

// claudeVersion is what Vertex takes in place of the anthropic-version header.
// https://docs.anthropic.com/en/api/claude-on-vertex-ai
const claudeVersion = "vertex-2023-10-16"

// anthropicVersion is the body's anthropic_version: options.anthropic_version
// where it is one of Vertex.
func anthropicVersion(t *target.Target) string {
	if v := t.Options.AnthropicVersion; strings.HasPrefix(v, "vertex-") {
		return v
	}
	return claudeVersion
}

// vertexClaude takes Anthropic's Messages with the model in the URL and the
// version in the body. An organization must allow structured outputs before Vertex takes
// a schema or strict tools (constraints/vertexai.allowedPartnerModelFeatures), so that
// translated requests ask for them in words.
// https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/structured_outputs
var vertexClaude = func() *provider.Provider {
	p := vertex(map[route.Type]*provider.Operation{route.Chat: {
		Path:   published("anthropic", rawPredict),
		Format: provider.AnthropicMessages,
		Chat:   claude{provider.Edited{Upstream: anthropic.Messages, Edit: &claudeEdit}},
		Hosts: func(t *target.Target, r *chat.Request, tool *chat.Tool) bool {
			return tool.Hosted == chat.WebSearch && anthropic.Hosts(t, r, tool)
		},
		Meter:     anthropic.Meter,
		Fields:    claudeFields,
		Origin:    anthropic.Origin,
		Edit:      claudeEdit,
		Tune:      anthropic.Tune,
		Untuned:   anthropic.Untuned,
		Caching:   anthropic.Caching,
		OwnErrors: true,
	}})
	// https://docs.anthropic.com/en/docs/build-with-claude/token-counting
	p.Native = map[provider.Format]*provider.Operation{provider.AnthropicCount: {
		Path:   below("/publishers/anthropic/models/count-tokens:rawPredict"),
		Format: provider.AnthropicCount, Edit: provider.Edit{Request: anthropic.OwnThinking}, OwnErrors: true, NoStream: true, Counter: &claudeCounter,
	}}
	p.Counter = p.Native[provider.AnthropicCount]
	raw := *p.Operations[route.Chat]
	raw.Format = provider.VertexAnthropic
	p.Native[provider.VertexAnthropic] = &raw
	return p
}()

var claudeEdit = provider.Edit{
	Drop: []string{"model"},
	Set: func(t *target.Target) []chat.Member {
		return []chat.Member{{Name: "anthropic_version", Value: jsonedit.AppendString(nil, anthropicVersion(t))}}
	},
	Request:  anthropic.OwnThinking,
	Refusals: anthropic.Refusals,
	Fit:      &provider.Fit{Header: "Anthropic-Beta", Body: claudeHere.Fit},
}

// claudeHere is what Vertex takes of Anthropic's format. It has web search of
// Anthropic's servers, and tool search, but no other tools of theirs.
// https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai
// https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude
var claudeHere = anthropic.Cloud{
	Members: []string{
		"anthropic_version", "max_tokens", "messages", "system", "temperature", "top_p", "top_k", "stop_sequences", "stream", "thinking",
		"tools", "tool_choice", "metadata", "model", "output_config",
	},
	Gated: map[string]string{"context_management": "context-management-2025-06-27"},
	Betas: []string{
		"claude-code-20250219", "compact-2026-01-12", "computer-use-2024-10-22", "computer-use-2025-01-24", "computer-use-2025-11-24",
		"context-1m-2025-08-07", "context-management-2025-06-27", "dev-full-thinking-2025-05-14", "effort-2025-11-24",
		"fine-grained-tool-streaming-2025-05-14", "interleaved-thinking-2025-05-14", "output-128k-2025-02-19", "token-efficient-tools-2025-02-19", "tool-search-tool-2025-10-19",
		"web-search-2025-03-05",
	},
	Tools:       []string{"bash_", "text_editor_", "computer_", "memory_", "tool_search_tool_", "web_search_"},
	Blocks:      []string{"server_tool_use", "web_search_tool_result", "tool_search_tool_result"},
	ToolMembers: []string{"type", "name", "description", "input_schema", "cache_control", "strict"},
	Output:      anthropic.OutputOf,
}

var claudeFields = func() provider.Fields {
	f := maps.Clone(anthropic.Fields)
	f["model"] = provider.Mapped.With("the URL")
	f["response_format"] = provider.Mapped.With("an instruction in system: Vertex takes output_config.format only if the organization allows it")
	return f
}()

// claude asks in words for what Vertex takes only if the organization allows it: a wanted
// JSON schema, and tools that are strict.
type claude struct{ provider.Edited }

// AppendRequest implements chat.Upstream.
func (c claude) AppendRequest(dst []byte, t *target.Target, req *chat.Request) ([]byte, error) {
	if req.ResponseFormat.Type == "json_schema" && req.ResponseFormat.Schema != nil {
		with := *req
		with.ResponseFormat = chat.ResponseFormat{Type: "json_object"}
		with.Messages = append(slices.Clip(slices.Clone(req.Messages)), chat.Message{Role: chat.System, Parts: []chat.Part{{
			Kind: chat.Text, Text: jsonedit.Plain("The JSON must match this JSON schema: " + string(req.ResponseFormat.Schema)),
		}}})
		req = &with
	}
	if slices.ContainsFunc(req.Tools, func(t chat.Tool) bool { return t.Strict != nil }) {
		with := *req
		with.Tools = slices.Clone(req.Tools)
		for i := range with.Tools {
			with.Tools[i].Strict = nil
		}
		req = &with
	}
	return c.Edited.AppendRequest(dst, t, req)
}

func vertex(operations map[route.Type]*provider.Operation) *provider.Provider {
	return &provider.Provider{
		Name:        "gemini",
		Base:        vertexBase,
		PathOverURL: true,
		Operations:  operations,
	}
}
