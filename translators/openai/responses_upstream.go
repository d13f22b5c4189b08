package openai

import (
	"slices"
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// OrResponses returns op, a chat operation, with the Responses API instead for the
// models and requests of models that chat/completions refuses. at is the API, as for
// clients that speak it. model, if set, returns what the API calls t's model.
func OrResponses(op, at *provider.Operation, models provider.Families, model func(t *target.Target) string) *provider.Operation {
	responses := *at
	responses.Chat = responsesUpstream{models: models, model: model, functions: !op.Edit.CustomTools}
	responses.Hosts = func(t *target.Target, _ *chat.Request, tool *chat.Tool) bool {
		return models.Of(t.Model).RunsInResponses(tool)
	}
	responses.Fields = responsesFields
	needs := func(t *target.Target, r *chat.Request) bool {
		if strings.Contains(t.Model, "/") { // as others name it, who serve it in their own way
			return false
		}
		m := models.Of(t.Model)
		return m.NeedsResponses(r) || slices.ContainsFunc(r.Tools, func(tool chat.Tool) bool { return m.RunsInResponses(&tool) && !op.Hosts(t, r, &tool) })
	}
	op.Instead = &provider.Instead{
		Operation: &responses,
		Request:   needs,
		Body: func(t *target.Target, ms []jsonedit.Member) bool {
			return models.Of(t.Model).KnowsResponses() && needs(t, outlined(ms))
		},
	}
	return op
}

// outlined is a chat request with what decides which API it needs: whether there are
// tools, and the effort.
func outlined(ms []jsonedit.Member) *chat.Request {
	r := &chat.Request{}
	r.ReasoningEffort, _ = jsonedit.String(jsonedit.Find(ms, "reasoning_effort"))
	if provider.HasElements(jsonedit.Find(ms, "tools")) || provider.HasElements(jsonedit.Find(ms, "functions")) {
		r.Tools = append(r.Tools, chat.Tool{})
	}
	if jsonedit.IsObject(jsonedit.Find(ms, "web_search_options")) {
		r.Tools = append(r.Tools, chat.Tool{Hosted: chat.WebSearch})
	}
	return r
}

// responsesUpstream is the provider's side of the Responses API. Nothing is stored
// unless the client asks for it: the history is sent as items, with the thoughts in
// the encrypted form in which the API handed them out.
// https://platform.openai.com/docs/api-reference/responses/create
type responsesUpstream struct {
	models provider.Families
	model  func(t *target.Target) string
	// functions means that the API has functions only, and not OpenAI's tools of the
	// type custom.
	functions bool
}

// leastOutput is the smallest max_output_tokens that the API takes.
const leastOutput = 16

// AppendRequest implements chat.Upstream.
func (u responsesUpstream) AppendRequest(dst []byte, t *target.Target, req *chat.Request) ([]byte, error) {
	model := u.models.Of(t.Model)
	req = model.Describe(req)
	if u.functions {
		req = asFunctions(model.Choose(req))
	}
	name := t.Model
	if u.model != nil {
		name = u.model(t)
	}
	dst = jsonedit.AppendString(append(dst, `{"model":`...), name)
	dst = append(jsonedit.AppendName(dst, "input"), '[')
	w := itemWriter{dst: dst, offered: customNames(req)}
	for i := range req.Messages {
		if err := w.message(&req.Messages[i]); err != nil {
			return nil, within(index("messages", i), err)
		}
	}
	dst = append(w.dst, ']')
	if req.Stream {
		dst = append(dst, `,"stream":true`...)
	}
	dst = appendFlatTools(dst, req, model)
	dst = appendResponsesSampling(dst, req, model)
	dst = appendTextOptions(dst, req)
	dst = appendReasoning(dst, req, model)
	dst = appendAccount(dst, req)
	if model != nil && model.Truncates {
		dst = append(dst, `,"truncation":"auto"`...)
	}
	return append(dst, '}'), nil
}

func appendResponsesSampling(dst []byte, req *chat.Request, model *provider.Family) []byte {
	limit := req.MaxTokens
	if model != nil {
		limit = limit.AtMost(model.Output)
	}
	if n, ok := limit.Int(); ok && n < leastOutput {
		limit = chat.Number(strconv.Itoa(leastOutput))
	}
	dst = jsonedit.AppendRaw(dst, "max_output_tokens", limit)
	if model.Takes("temperature") {
		dst = jsonedit.AppendRaw(dst, "temperature", req.Temperature)
	}
	if model.Takes("top_p") {
		dst = jsonedit.AppendRaw(dst, "top_p", req.TopP)
	}
	return dst
}

// appendTextOptions writes the member text: the format and the verbosity of the answer.
func appendTextOptions(dst []byte, req *chat.Request) []byte {
	f, verbosity := &req.ResponseFormat, req.Lookup("verbosity")
	if f.Type == "" && verbosity == nil {
		return dst
	}
	dst = append(jsonedit.AppendName(dst, "text"), '{')
	if f.Type != "" {
		dst = jsonedit.AppendText(append(jsonedit.AppendName(dst, "format"), '{'), "type", f.Type)
		if f.Type == "json_schema" {
			dst = appendSchema(dst, f)
		}
		dst = append(dst, '}')
	}
	return append(jsonedit.AppendRaw(dst, "verbosity", verbosity), '}')
}

// appendReasoning asks for as much reasoning as the model has, for a summary if the
// client shows thoughts, and for the thoughts in encrypted form, which models refuse
// that have none.
func appendReasoning(dst []byte, req *chat.Request, model *provider.Family) []byte {
	effort := model.Effort(model.Wanted(req))
	if effort == "minimal" && req.Hosts(chat.WebSearch) != nil { // with which the API does not search
		effort = "low"
	}
	reasons := model == nil || len(model.Efforts) > 0
	if summary := req.Thoughts && reasons && effort != "none"; effort != "" || summary {
		dst = jsonedit.AppendOptional(append(jsonedit.AppendName(dst, "reasoning"), '{'), "effort", effort)
		if summary {
			dst = jsonedit.AppendText(dst, "summary", "auto")
		}
		dst = append(dst, '}')
	}
	if reasons {
		dst = append(dst, `,"include":["reasoning.encrypted_content"]`...)
	}
	return dst
}

// appendAccount writes who asks and how the request is served.
func appendAccount(dst []byte, req *chat.Request) []byte {
	if store := req.Lookup("store"); store != nil {
		dst = jsonedit.AppendRaw(dst, "store", store)
	} else {
		dst = jsonedit.AppendBool(dst, "store", false)
	}
	dst = jsonedit.AppendRaw(dst, "metadata", req.Metadata)
	dst = appendServing(dst, req)
	for _, name := range [...]string{"prompt_cache_key", "prompt_cache_retention", "safety_identifier"} {
		dst = jsonedit.AppendRaw(dst, name, req.Lookup(name))
	}
	return dst
}

// appendFlatTools writes the tools, which have no object "function" around them. The
// API takes a schema for strict unless told otherwise.
func appendFlatTools(dst []byte, req *chat.Request, model *provider.Family) []byte {
	search := req.Hosts(chat.WebSearch)
	if search == nil && model != nil && model.AlwaysSearches {
		search = &chat.Tool{}
	}
	if len(req.Tools) == 0 && search == nil {
		return dst
	}
	dst = append(jsonedit.AppendName(dst, "tools"), '[')
	for i := range req.Tools {
		t := &req.Tools[i]
		if t.Hosted != "" {
			if t.Hosted != chat.WebSearch && model.RunsInResponses(t) {
				dst = appendHostedTool(jsonedit.AppendComma(dst), model, t)
			}
			continue
		}
		if isCustom(t) {
			dst = append(jsonedit.AppendComma(dst), t.Native...)
			continue
		}
		dst = jsonedit.AppendText(append(jsonedit.AppendComma(dst), `{"type":"function"`...), "name", t.Name)
		dst = t.Description.AppendOptional(dst, "description")
		parameters := t.Parameters
		if parameters == nil {
			parameters = chat.Raw(`{"type":"object","properties":{}}`)
		}
		dst = jsonedit.AppendRaw(dst, "parameters", parameters)
		strict := enforced(t.Strict, parameters)
		dst = append(jsonedit.AppendBool(dst, "strict", strict != nil && *strict), '}')
	}
	if search != nil {
		dst = appendSearchTool(jsonedit.AppendComma(dst), search.Search)
	}
	dst = append(dst, ']')
	switch {
	case req.ToolChoice.Mode == "":
	case req.ForcesHosted():
		dst = appendHostedChoice(dst, req)
	case req.ToolChoice.Mode == "function":
		kind := "function"
		if customNames(req)[req.ToolChoice.Name] {
			kind = customTool
		}
		dst = jsonedit.AppendText(append(jsonedit.AppendName(dst, "tool_choice"), '{'), "type", kind)
		dst = append(jsonedit.AppendText(dst, "name", req.ToolChoice.Name), '}')
	default:
		dst = jsonedit.AppendText(dst, "tool_choice", req.ToolChoice.Mode)
	}
	if search != nil && search.Search != nil {
		dst = jsonedit.AppendRaw(dst, "max_tool_calls", search.Search.MaxUses)
	}
	return appendBool(dst, "parallel_tool_calls", req.ParallelTools)
}

// appendSearchTool writes the hosted web search.
// https://platform.openai.com/docs/guides/tools-web-search
func appendSearchTool(dst []byte, s *chat.Search) []byte {
	dst = append(dst, `{"type":"web_search"`...)
	if s == nil {
		return append(dst, '}')
	}
	dst = jsonedit.AppendOptional(dst, "search_context_size", s.Context)
	if s.Somewhere() {
		dst = append(appendPlace(append(dst, `,"user_location":{"type":"approximate"`...), s), '}')
	}
	if len(s.Allowed)+len(s.Blocked) > 0 {
		dst = append(jsonedit.AppendName(dst, "filters"), '{')
		dst = jsonedit.AppendTexts(dst, "allowed_domains", s.Allowed)
		dst = append(jsonedit.AppendTexts(dst, "blocked_domains", s.Blocked), '}')
	}
	return append(dst, '}')
}

// responsesFields says where the fields of a chat request go.
var responsesFields = provider.Fields{
	"audio":                  provider.Dropped.With("answers are text"),
	"frequency_penalty":      provider.Dropped.With("no such setting"),
	"function_call":          provider.Mapped.With("tool_choice"),
	"functions":              provider.Mapped.With("tools"),
	"logit_bias":             provider.Dropped.With("no such setting"),
	"logprobs":               provider.Dropped.With("models that reason have none"),
	"max_completion_tokens":  provider.Mapped.With("max_output_tokens, at least 16"),
	"max_tokens":             provider.Mapped.With("max_output_tokens, at least 16"),
	"messages":               provider.Mapped.With("input"),
	"metadata":               provider.Mapped.With("as it is"),
	"modalities":             provider.Dropped.With("answers are text"),
	"model":                  provider.Mapped.With("as it is"),
	"n":                      provider.Dropped.With("one answer per request"),
	"parallel_tool_calls":    provider.Mapped.With("as it is"),
	"prediction":             provider.Dropped.With("no such setting"),
	"presence_penalty":       provider.Dropped.With("no such setting"),
	"prompt_cache_key":       provider.Mapped.With("as it is"),
	"prompt_cache_retention": provider.Mapped.With("as it is"),
	"reasoning_effort":       provider.Mapped.With("reasoning.effort"),
	"response_format":        provider.Mapped.With("text.format"),
	"safety_identifier":      provider.Mapped.With("as it is"),
	"seed":                   provider.Dropped.With("no such setting"),
	"service_tier":           provider.Mapped.With("as it is"),
	"stop":                   provider.Dropped.With("no such setting"),
	"store":                  provider.Mapped.With("as it is; false by default"),
	"stream":                 provider.Mapped.With("as it is"),
	"stream_options":         provider.Dropped.With("usage is always sent"),
	"temperature":            provider.Mapped.With("as it is, for models that take it"),
	"tool_choice":            provider.Mapped.With("in flat form"),
	"tools":                  provider.Mapped.With("in flat form"),
	"top_k":                  provider.Dropped.With("no such setting"),
	"top_logprobs":           provider.Dropped.With("models that reason have none"),
	"top_p":                  provider.Mapped.With("as it is, for models that take it"),
	"user":                   provider.Mapped.With("as it is, up to 64 bytes"),
	"verbosity":              provider.Mapped.With("text.verbosity"),
	"web_search_options":     provider.Refused.With("but for models that search: the tool web_search"),
}
