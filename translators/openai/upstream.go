package openai

import (
	"cmp"
	"slices"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// Upstream is the provider's side of the chat format, for clients of other formats.
// It is not used for clients of OpenAI's format, whose bytes are forwarded.
//
// Of the members that chat.Request has no field for, those of OpenAI's API are sent;
// others belong to the client's format. OpenAI refuses thinking in the history, so it
// is left out unless History has a place for it.
type Upstream struct {
	// History says what the API accepts in messages. Thoughts are written as clients
	// get them; ownHistory moves them to where the API has them.
	History *provider.History
	// Model says what the model takes; nil if nothing is known of it.
	Model *provider.Family
	// Hosting says which tools the API runs itself, beside a web search of search models.
	Hosting *provider.Hosting
}

// extraNames lists members of the API that chat.Request has no field for.
var extraNames = [...]string{
	"audio", "modalities", "prediction", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "store", "verbosity",
}

// maxUser is the longest user that OpenAI accepts, in bytes. A longer one, which
// other formats allow, is left out: if it were shortened, it could be another user's.
const maxUser = 64

// Limits are OpenAI's: "Invalid 'stop': array too long. Expected an array with maximum
// length 4". Azure says the same.
//
//	https://platform.openai.com/docs/api-reference/chat/create#chat-create-stop
//	https://github.com/QwenLM/Qwen-Agent/issues/228
var Limits = provider.Limits{Stops: 4}

// ownOf returns the origin of the tokens that an API of h makes and accepts for t.
func ownOf(h *provider.History, t *target.Target) origin.Name {
	if h.Origin != origin.Unknown {
		return h.Origin
	}
	return origin.Name(t.Provider)
}

// AppendRequest implements chat.Upstream.
func (u Upstream) AppendRequest(dst []byte, t *target.Target, req *chat.Request) ([]byte, error) {
	req = u.Model.Fit(req)
	dst = jsonedit.AppendString(append(dst, `{"model":`...), t.Model)
	dst = append(jsonedit.AppendName(dst, "messages"), '[')
	w := messageWriter{dst: dst, first: len(dst), history: u.History}
	if w.history == nil {
		w.history = &provider.History{}
	}
	w.own = ownOf(w.history, t)
	for i := range req.Messages {
		if err := w.message(&req.Messages[i]); err != nil {
			return nil, within(index("messages", i), err)
		}
	}
	if err := w.waited(); err != nil {
		return nil, within("messages", err)
	}
	dst = append(w.dst, ']')
	if req.Stream {
		dst = append(dst, `,"stream":true,"stream_options":{"include_usage":true}`...)
	}
	dst = u.appendTools(dst, req)
	dst = appendSampling(dst, req)
	dst = appendResponseFormat(dst, &req.ResponseFormat)
	dst = appendServing(dst, req)
	for i := range req.Extra {
		if m := &req.Extra[i]; req.Same || slices.Contains(extraNames[:], m.Name) {
			dst = jsonedit.AppendRaw(dst, m.Name, m.Value)
		}
	}
	if req.Same || req.Lookup("store") != nil { // refused without
		dst = jsonedit.AppendRaw(dst, "metadata", req.Metadata)
	}
	return append(dst, '}'), nil
}

// appendServing writes who asks and at which tier, if the API takes them.
func appendServing(dst []byte, req *chat.Request) []byte {
	if len(req.User) <= maxUser {
		dst = jsonedit.AppendOptional(dst, "user", req.User)
	}
	switch req.ServiceTier {
	case "auto", "default", "flex", "priority", "scale":
		dst = jsonedit.AppendText(dst, "service_tier", req.ServiceTier)
	}
	return dst
}

func appendBool(dst []byte, name string, value *bool) []byte {
	if value == nil {
		return dst
	}
	return jsonedit.AppendBool(dst, name, *value)
}

func appendSampling(dst []byte, req *chat.Request) []byte {
	for _, m := range [...]struct {
		name  string
		value chat.Number
	}{
		{"max_tokens", req.MaxTokens}, {"temperature", req.Temperature}, {"top_p", req.TopP}, {"top_k", req.TopK}, {"n", req.N}, {"seed", req.Seed},
		{"presence_penalty", req.PresencePenalty}, {"frequency_penalty", req.FrequencyPenalty}, {"top_logprobs", req.TopLogprobs},
	} {
		dst = jsonedit.AppendRaw(dst, m.name, m.value)
	}
	dst = appendBool(dst, "logprobs", req.Logprobs)
	dst = jsonedit.AppendRaw(dst, "logit_bias", req.LogitBias)
	dst = jsonedit.AppendTexts(dst, "stop", req.Stop)
	return jsonedit.AppendOptional(dst, "reasoning_effort", req.ReasoningEffort)
}

// searchModels are the models that search the web for chat/completions, by a part
// of their names. To others web_search_options is an unknown parameter.
// https://platform.openai.com/docs/guides/tools-web-search#limitations
var searchModels = []string{"-search-preview", "-search-api"}

// Hosts is the Hosts of chat/completions.
func Hosts(t *target.Target, _ *chat.Request, tool *chat.Tool) bool {
	return tool.Hosted == chat.WebSearch && slices.ContainsFunc(searchModels, func(part string) bool { return strings.Contains(t.Model, part) })
}

// appendSearch writes how the model shall search the web.
func appendSearch(dst []byte, s *chat.Search) []byte {
	dst = append(jsonedit.AppendName(dst, "web_search_options"), '{')
	if s != nil {
		dst = jsonedit.AppendOptional(dst, "search_context_size", s.Context)
		if s.Somewhere() {
			dst = append(jsonedit.AppendName(dst, "user_location"), `{"type":"approximate","approximate":{`...)
			dst = append(appendPlace(dst, s), "}}"...)
		}
	}
	return append(dst, '}')
}

// appendPlace writes the members of the place that a search is made from.
func appendPlace(dst []byte, s *chat.Search) []byte {
	for _, m := range [...][2]string{{"city", s.City}, {"region", s.Region}, {"country", s.Country}, {"timezone", s.Timezone}} {
		dst = jsonedit.AppendOptional(dst, m[0], m[1])
	}
	return dst
}

func (u Upstream) appendTools(dst []byte, req *chat.Request) []byte {
	own := u.Hosting
	if search := req.Hosts(chat.WebSearch); search != nil && !own.Runs(req, search) {
		dst = appendSearch(dst, search.Search)
	}
	if own != nil && own.Members != nil && len(req.Tools) > 0 {
		dst = own.Members(dst, req)
	}
	before := len(dst)
	dst = append(jsonedit.AppendName(dst, "tools"), '[')
	empty, demanded := len(dst), req.ForcesHosted()
	for i := range req.Tools {
		switch t := &req.Tools[i]; {
		case demanded && own != nil && own.Alone && t.Name != req.ToolChoice.Name:
		case t.Hosted == "":
			dst = appendFunction(jsonedit.AppendComma(dst), t)
		case own != nil && own.Tool != nil && own.Runs(req, t):
			dst = own.Tool(jsonedit.AppendComma(dst), t)
		}
	}
	if len(dst) == empty {
		return dst[:before]
	}
	dst = append(dst, ']')
	switch {
	case req.ToolChoice.Mode == "":
	case demanded:
		for i := range req.Tools {
			if t := &req.Tools[i]; t.Name == req.ToolChoice.Name && own != nil && own.Choice != nil {
				dst = jsonedit.AppendRaw(dst, "tool_choice", own.Choice(t))
			}
		} // others search always
	case req.ToolChoice.Mode == "function":
		dst = append(jsonedit.AppendName(dst, "tool_choice"), `{"type":"function","function":{"name":`...)
		dst = append(jsonedit.AppendString(dst, req.ToolChoice.Name), "}}"...)
	default:
		dst = jsonedit.AppendText(dst, "tool_choice", req.ToolChoice.Mode)
	}
	return appendBool(dst, "parallel_tool_calls", req.ParallelTools)
}

func appendFunction(dst []byte, t *chat.Tool) []byte {
	dst = jsonedit.AppendString(append(dst, `{"type":"function","function":{"name":`...), t.Name)
	dst = t.Description.AppendOptional(dst, "description")
	dst = jsonedit.AppendRaw(dst, "parameters", t.Parameters)
	return append(appendBool(dst, "strict", enforced(t.Strict, t.Parameters)), "}}"...)
}

func appendResponseFormat(dst []byte, f *chat.ResponseFormat) []byte {
	if f.Type == "" {
		return dst
	}
	dst = jsonedit.AppendString(append(jsonedit.AppendName(dst, "response_format"), `{"type":`...), f.Type)
	if f.Type == "json_schema" {
		dst = append(appendSchema(append(jsonedit.AppendName(dst, "json_schema"), '{'), f), '}')
	}
	return append(dst, '}')
}

// appendSchema writes the members that describe the schema of an answer.
func appendSchema(dst []byte, f *chat.ResponseFormat) []byte {
	name := f.Name
	if name == "" {
		name = "answer" // required by this API, but not by others
	}
	dst = jsonedit.AppendText(dst, "name", name)
	return appendBool(jsonedit.AppendRaw(dst, "schema", f.Schema), "strict", enforced(f.Strict, f.Schema))
}

// messageWriter writes messages. There may be more than were read: OpenAI has one
// message per tool result, where other formats have all results in one user message.
type messageWriter struct {
	dst     []byte
	first   int // length of dst before the first message
	history *provider.History
	own     origin.Name
	waiting []chat.Part // images of results, for a user message behind the last result
}

func (w *messageWriter) open(role string) {
	if len(w.dst) > w.first {
		w.dst = append(w.dst, ',')
	}
	w.dst = append(append(append(w.dst, `{"role":"`...), role...), '"')
}

// waited writes what waits for the end of a run of results.
func (w *messageWriter) waited() error {
	parts := w.waiting
	if w.waiting = nil; len(parts) == 0 {
		return nil
	}
	return w.say("user", "", parts)
}

// say writes a message of these parts.
func (w *messageWriter) say(role, name string, parts []chat.Part) error {
	w.open(role)
	w.dst = jsonedit.AppendOptional(w.dst, "name", name)
	if err := w.content(parts); err != nil {
		return err
	}
	w.dst = append(w.dst, '}')
	return nil
}

func (w *messageWriter) message(m *chat.Message) error {
	if m.Role == chat.Assistant || m.Role == chat.System {
		if err := w.waited(); err != nil {
			return err
		}
	}
	if m.Role == chat.Assistant {
		return w.assistant(m)
	}
	rest := w.waiting
	w.waiting = nil
	for i := range m.Parts {
		p := &m.Parts[i]
		if p.Kind != chat.ToolResult {
			rest = append(rest, *p)
			continue
		}
		// A tool message can only have text, so images are put into a user message.
		// It stands behind the results of all calls of a turn.
		var texts []chat.Part
		for _, inner := range p.Parts {
			if inner.Kind == chat.Text {
				texts = append(texts, inner)
			} else {
				rest = append(rest, inner)
			}
		}
		if last := len(texts) - 1; last >= 0 && texts[last].CacheControl == nil {
			texts[last].CacheControl = p.CacheControl
		}
		w.open("tool")
		w.dst = jsonedit.AppendText(w.dst, "tool_call_id", p.ID)
		if err := w.content(texts); err != nil {
			return err
		}
		w.dst = append(w.dst, '}')
	}
	switch {
	case m.Role == chat.ToolRole:
		w.waiting = rest
		return nil
	case len(rest) == 0 && len(m.Parts) > 0:
		return nil
	case m.Role == chat.System:
		return w.say("system", m.Name, rest)
	}
	return w.say("user", m.Name, rest)
}

func (w *messageWriter) assistant(m *chat.Message) error {
	w.open("assistant")
	w.dst = jsonedit.AppendOptional(w.dst, "name", m.Name)
	var said []chat.Part
	for _, p := range m.Parts {
		if p.Kind == chat.Text || p.Kind == chat.Image { // what another maker's servers left there is nobody else's
			said = append(said, p)
		}
	}
	refusal, _ := joined(m.Parts, chat.Refusal)
	calls := count(m.Parts, chat.ToolCall)
	if len(said) == 0 && (calls > 0 || !refusal.Empty()) {
		w.dst = append(jsonedit.AppendName(w.dst, "content"), "null"...)
	} else if err := w.content(said); err != nil {
		return err
	}
	w.dst = refusal.AppendOptional(w.dst, "refusal")
	if h := w.history; h.Thought != provider.ThoughtAsItCame && h.Thought != provider.ThoughtNowhere {
		if h.Thought == provider.ThoughtSigned {
			w.dst = appendThinkingBlocks(w.dst, m.Parts, &chat.Meta{Origin: w.own})
		}
		thinking, _ := joined(m.Parts, chat.Thinking)
		w.dst = thinking.AppendOptional(w.dst, "reasoning_content")
	}
	if calls > 0 {
		// An id is needed to match a result with its call; formats without ids match
		// by name.
		var it identity
		w.dst = appendCalls(w.dst, &it, &chat.Choice{Parts: m.Parts}, nil)
	}
	w.dst = append(w.dst, '}')
	return nil
}

// content writes the content of a message, as a string if possible.
func (w *messageWriter) content(parts []chat.Part) error {
	w.dst = jsonedit.AppendName(w.dst, "content")
	if len(parts) == 0 {
		w.dst = append(w.dst, `""`...)
		return nil
	}
	if len(parts) == 1 && parts[0].Kind == chat.Text && !w.marked(&parts[0]) {
		w.dst = parts[0].Text.Append(w.dst)
		return nil
	}
	separator := byte('[')
	for i := range parts {
		w.dst = append(w.dst, separator)
		separator = ','
		if err := w.part(&parts[i]); err != nil {
			return within(index("content", i), err)
		}
	}
	w.dst = append(w.dst, ']')
	return nil
}

// marked says whether a part of text is written with its cache_control.
func (w *messageWriter) marked(p *chat.Part) bool {
	return w.history.CacheControl && p.CacheControl != nil
}

func (w *messageWriter) part(p *chat.Part) error {
	if p.Kind == chat.Text {
		w.dst = p.Text.Append(append(w.dst, `{"type":"text","text":`...))
		if w.marked(p) {
			w.dst = jsonedit.AppendRaw(w.dst, "cache_control", p.CacheControl)
		}
		w.dst = append(w.dst, '}')
		return nil
	}
	if p.Media == nil {
		return refuse("", "a part of this type cannot be sent in OpenAI's format")
	}
	m := p.Media
	switch p.Kind {
	case chat.Image:
		w.dst = appendURL(append(w.dst, `{"type":"image_url","image_url":{"url":`...), m)
		w.dst = append(jsonedit.AppendOptional(w.dst, "detail", m.Detail), "}}"...)
	case chat.Video:
		w.dst = append(appendURL(append(w.dst, `{"type":"video_url","video_url":{"url":`...), m), "}}"...)
	case chat.Audio:
		var err error
		w.dst, err = appendSound(w.dst, m)
		return err
	case chat.File:
		return w.file(m)
	default:
		return refuse("", "a part of this type cannot be sent in OpenAI's format")
	}
	return nil
}

// appendSound writes a part with sound, which chat and Responses have alike.
func appendSound(dst []byte, m *chat.Media) ([]byte, error) {
	if m.Data.Empty() {
		return dst, refuse("", "a sound must be sent as data")
	}
	format := strings.TrimPrefix(strings.TrimPrefix(m.MIME, "audio/"), "x-")
	if format == "mpeg" {
		format = "mp3"
	}
	dst = m.Data.Append(append(dst, `{"type":"input_audio","input_audio":{"data":`...))
	return append(jsonedit.AppendText(dst, "format", format), "}}"...), nil
}

// fileName is the name that is required beside a file's data.
func fileName(m *chat.Media) string { return cmp.Or(m.Filename, "document.pdf") }

func (w *messageWriter) file(m *chat.Media) error {
	switch {
	case m.FileID != "":
		w.dst = append(jsonedit.AppendString(append(w.dst, `{"type":"file","file":{"file_id":`...), m.FileID), "}}"...)
	case !m.Data.Empty():
		w.dst = jsonedit.AppendString(append(w.dst, `{"type":"file","file":{"filename":`...), fileName(m))
		w.dst = append(appendURL(jsonedit.AppendName(w.dst, "file_data"), m), "}}"...)
	default:
		return refuse("", "a file must be sent as data or as an uploaded file's id")
	}
	return nil
}

// appendURL writes a URL, or the data as a data URI.
func appendURL(dst []byte, m *chat.Media) []byte {
	if m.URL != "" || m.Data.Empty() {
		return jsonedit.AppendString(dst, m.URL)
	}
	dst = jsonedit.Plain("data:" + m.Type() + ";base64,").AppendInside(append(dst, '"'))
	return append(m.Data.AppendInside(dst), '"')
}

// Fields lists the fields of the API's chat requests, and top_k, which clients send
// as if it were one of them.
// https://platform.openai.com/docs/api-reference/chat/create
var Fields = []string{
	"audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens",
	"messages", "metadata", "modalities", "model", "n", "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key",
	"prompt_cache_retention", "reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier", "stop", "store",
	"stream", "stream_options", "temperature", "tool_choice", "tools", "top_k", "top_logprobs", "top_p", "user", "verbosity",
	"web_search_options",
}
