package cohere

import (
	"fmt"
	"slices"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// chatV2 is version 2 of Chat.
type chatV2 struct{}

// natives lists members of version 2 that the internal form has no field for.
var natives = []string{"citation_options", "documents", "priority", "safety_mode", "strict_tools"}

// AppendRequest implements chat.Upstream.
func (chatV2) AppendRequest(dst []byte, t *target.Target, r *chat.Request) ([]byte, error) {
	if err := oneKind(r); err != nil {
		return nil, err
	}
	r = worded(limits.Fit(r))
	dst = jsonedit.AppendString(append(dst, `{"model":`...), t.Model)
	dst = append(jsonedit.AppendName(dst, "messages"), '[')
	w := messageWriter{dst: dst, first: len(dst)}
	for i := range r.Messages {
		if err := w.message(&r.Messages[i], i); err != nil {
			return nil, err
		}
	}
	dst = append(w.dst, ']')
	dst = jsonedit.AppendBool(dst, "stream", r.Stream)
	dst, err := appendTools(dst, r)
	if err != nil {
		return nil, err
	}
	dst = jsonedit.AppendRaw(dst, "max_tokens", r.MaxTokens)
	dst = jsonedit.AppendRaw(dst, "temperature", r.Temperature)
	dst = appendWithin(dst, "p", r.TopP, "0.01", "0.99")
	dst = appendSampling(dst, r)
	dst = jsonedit.AppendTexts(dst, "stop_sequences", r.Stop)
	if r.Logprobs != nil {
		dst = jsonedit.AppendBool(dst, "logprobs", *r.Logprobs)
	}
	dst = appendResponseFormat(dst, &r.ResponseFormat, "json_schema")
	dst = appendThinking(dst, r)
	return append(chat.AppendExtra(dst, r, natives...), '}'), nil
}

// ParseResponse implements chat.Upstream.
func (chatV2) ParseResponse(t *target.Target, body []byte) (*chat.Response, error) {
	return parseAnswer(t, body)
}

// NewStream implements chat.Upstream.
func (chatV2) NewStream(*target.Target) chat.Stream { return &stream{} }

// oneKind refuses a request with both a prompt and messages, with Kong's text.
func oneKind(r *chat.Request) error {
	if len(r.Messages) > 0 && (r.Lookup("prompt") != nil || r.Lookup("messages") != nil) {
		return &chat.RequestError{Message: "cannot run a 'prompt' and a history of 'messages' at the same time - refer to schema"}
	}
	return nil
}

// appendSampling writes the parameters that all versions have.
func appendSampling(dst []byte, r *chat.Request) []byte {
	dst = appendWithin(dst, "k", r.TopK, "0", "500")
	dst = jsonedit.AppendRaw(dst, "seed", r.Seed)
	dst = appendWithin(dst, "frequency_penalty", r.FrequencyPenalty, "0", "1")
	return appendWithin(dst, "presence_penalty", r.PresencePenalty, "0", "1")
}

// appendResponseFormat writes the format of the answer; schema is the name of
// the schema's member: "json_schema" in version 2, "schema" in version 1.
func appendResponseFormat(dst []byte, f *chat.ResponseFormat, schema string) []byte {
	if f.Type != "json_object" && f.Type != "json_schema" {
		return dst
	}
	dst = append(jsonedit.AppendName(dst, "response_format"), `{"type":"json_object"`...)
	return append(jsonedit.AppendRaw(dst, schema, f.Schema), '}')
}

// worded returns r with an instruction in place of the form of the answer, if functions
// or documents stand beside it: Cohere refuses the two together.
// https://docs.cohere.com/docs/structured-outputs#json-mode
func worded(r *chat.Request) *chat.Request {
	form := r.ResponseFormat.Instruction()
	if form == "" || !r.Functions() && r.Lookup("documents") == nil {
		return r
	}
	with := *r
	with.ResponseFormat = chat.ResponseFormat{}
	with.Messages = append([]chat.Message{{Role: chat.System, Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain(form)}}}}, r.Messages...)
	return &with
}

// budgets holds the tokens for thinking by effort, since Cohere has no efforts.
var budgets = map[string]int{"minimal": 1024, "low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 16384}

// appendThinking writes thinking: the client's own member, which may be Anthropic's,
// a budget, or an effort. https://docs.cohere.com/v2/docs/reasoning
func appendThinking(dst []byte, r *chat.Request) []byte {
	budget, _ := r.ReasoningBudget.Int()
	off := r.ReasoningEffort == "none" || r.ReasoningBudget != "" && budget <= 0
	on := r.ReasoningEffort != "" || budget > 0
	if budget == 0 {
		budget = budgets[r.ReasoningEffort]
	}
	if own := r.Lookup("thinking"); own != nil {
		if v, err := jsonedit.Parse(own); err == nil {
			off = v.GetString("type") == "disabled"
			on = true
			budget = max(v.GetInt("token_budget"), v.GetInt("budget_tokens"))
		}
	}
	switch {
	case off:
		return append(dst, `,"thinking":{"type":"disabled"}`...)
	case !on:
		return dst
	}
	dst = append(dst, `,"thinking":{"type":"enabled"`...)
	if budget > 0 {
		dst = jsonedit.AppendInt(dst, "token_budget", budget)
	}
	return append(dst, '}')
}

// appendTools writes tools and tool_choice. If one function must be called, no other
// is offered.
func appendTools(dst []byte, r *chat.Request) ([]byte, error) {
	only := ""
	if r.ToolChoice.Mode == "function" {
		only = r.ToolChoice.Name
	}
	tools := 0
	for i := range r.Tools {
		t := &r.Tools[i]
		if only != "" && t.Name != only {
			continue
		}
		if tools++; tools == 1 {
			dst = append(jsonedit.AppendName(dst, "tools"), '[')
		} else {
			dst = append(dst, ',')
		}
		dst = jsonedit.AppendString(append(dst, `{"type":"function","function":{"name":`...), t.Name)
		dst = t.Description.AppendOptional(dst, "description")
		parameters := t.Parameters
		if !jsonedit.IsObject(parameters) {
			parameters = noParameters
		}
		dst = append(jsonedit.AppendRaw(dst, "parameters", parameters), "}}"...)
	}
	if only != "" && tools == 0 {
		return nil, &chat.RequestError{Field: "tool_choice.function.name", Message: fmt.Sprintf("%q is none of the tools", only)}
	}
	if tools == 0 {
		return dst, nil
	}
	dst = append(dst, ']')
	switch r.ToolChoice.Mode {
	case "required", "function":
		dst = append(dst, `,"tool_choice":"REQUIRED"`...)
	case "none":
		dst = append(dst, `,"tool_choice":"NONE"`...)
	}
	return dst, nil
}

var noParameters = chat.Raw(`{"type":"object","properties":{}}`)

// messageWriter writes messages, which may be more than were read: Cohere has
// one for each tool result.
type messageWriter struct {
	dst   []byte
	first int // length of dst before the first message
}

func (w *messageWriter) open(role string) {
	if len(w.dst) > w.first {
		w.dst = append(w.dst, ',')
	}
	w.dst = append(append(append(w.dst, `{"role":"`...), role...), '"')
}

func (w *messageWriter) message(m *chat.Message, i int) error {
	if m.Role == chat.Assistant {
		return w.assistant(m, i)
	}
	rest := len(m.Parts)
	for j := range m.Parts {
		if p := &m.Parts[j]; p.Kind == chat.ToolResult {
			rest--
			if err := w.result(p, i); err != nil {
				return err
			}
		}
	}
	if rest == 0 && len(m.Parts) > 0 || m.Role == chat.ToolRole {
		return nil
	}
	role := "user"
	if m.Role == chat.System {
		role = "system"
	}
	if saysNothing(m) { // "message must be at least 1 token long or tool results must be specified"
		if rest = 0; role == "system" {
			return nil
		}
	}
	w.open(role)
	if err := w.content(m, i, rest, role == "user"); err != nil {
		return err
	}
	w.dst = append(w.dst, '}')
	return nil
}

// content writes the parts that are not tool results: as a string if they are only
// text.
func (w *messageWriter) content(m *chat.Message, i, n int, images bool) error {
	w.dst = jsonedit.AppendName(w.dst, "content")
	if n == 0 {
		w.dst = chat.Opening.Text.Append(w.dst)
		return nil
	}
	separator := byte('[')
	for j := range m.Parts {
		p := &m.Parts[j]
		switch {
		case p.Kind == chat.ToolResult, p.Kind == chat.Text && n > 1 && p.Text.Empty():
			continue
		case n == 1 && p.Kind == chat.Text:
			w.dst = p.Text.Append(w.dst)
			return nil
		}
		w.dst = append(w.dst, separator)
		separator = ','
		switch {
		case p.Kind == chat.Text || p.Kind == chat.Refusal:
			w.dst = appendTextBlock(w.dst, p.Text)
		case p.Kind == chat.Image && images && p.Media != nil && p.Media.FileID == "":
			w.dst = appendImage(w.dst, p.Media)
		default:
			return cannotSend(p, i, j)
		}
	}
	w.dst = append(w.dst, ']')
	return nil
}

// saysNothing says whether a message has only empty texts, besides results of tools.
func saysNothing(m *chat.Message) bool {
	return !slices.ContainsFunc(m.Parts, func(p chat.Part) bool {
		return p.Kind != chat.ToolResult && (p.Kind != chat.Text && p.Kind != chat.Refusal || !p.Text.Empty())
	})
}

// cannotSend returns the error for a part that Cohere does not support.
func cannotSend(p *chat.Part, i, j int) error {
	what := map[chat.PartKind]string{chat.Image: "an image here", chat.Audio: "audio", chat.File: "a file", chat.Video: "video"}[p.Kind]
	if what == "" {
		what = "a part of this type"
	}
	return &chat.RequestError{Field: chat.PartField(i, j), Message: "Cohere does not take " + what}
}

func appendTextBlock(dst []byte, text jsonedit.Text) []byte {
	return append(text.Append(append(dst, `{"type":"text","text":`...)), '}')
}

func appendImage(dst []byte, m *chat.Media) []byte {
	url := m.URL
	if url == "" {
		url = "data:" + m.Type() + ";base64," + m.Data.String()
	}
	dst = jsonedit.AppendString(append(dst, `{"type":"image_url","image_url":{"url":`...), url)
	dst = jsonedit.AppendOptional(dst, "detail", m.Detail)
	return append(dst, "}}"...)
}

// result writes a tool message: text as a string, Cohere's documents unchanged.
func (w *messageWriter) result(p *chat.Part, i int) error {
	w.open("tool")
	w.dst = jsonedit.AppendText(w.dst, "tool_call_id", p.ID)
	w.dst = jsonedit.AppendName(w.dst, "content")
	var documents bool
	for j := range p.Parts {
		documents = documents || p.Parts[j].Kind == chat.Opaque && p.Parts[j].Type == "document"
	}
	if !documents {
		s, err := resultText(p, i)
		w.dst = append(jsonedit.AppendString(w.dst, s), '}')
		return err
	}
	separator := byte('[')
	for j := range p.Parts {
		part := &p.Parts[j]
		w.dst = append(w.dst, separator)
		separator = ','
		switch {
		case part.Kind == chat.Text:
			w.dst = appendTextBlock(w.dst, part.Text)
		case part.Kind == chat.Image:
			w.dst = appendTextBlock(w.dst, chat.ImageLeftOut)
		case part.Kind == chat.Opaque && part.Type == "document":
			w.dst = append(w.dst, part.Raw...)
		default:
			return cannotSend(part, i, j)
		}
	}
	w.dst = append(w.dst, "]}"...)
	return nil
}

// resultText returns the text of a tool's result. No model of Cohere that calls tools
// sees images. https://docs.cohere.com/docs/command-a-vision
func resultText(p *chat.Part, i int) (string, error) {
	var b strings.Builder
	for j := range p.Parts {
		said := p.Parts[j].Text
		switch p.Parts[j].Kind {
		case chat.Text:
		case chat.Image:
			said = chat.ImageLeftOut
		default:
			return "", cannotSend(&p.Parts[j], i, j)
		}
		if len(p.Parts) == 1 {
			return said.String(), nil
		}
		b.WriteString(said.String())
	}
	return b.String(), nil
}

// assistant writes a message of the model. Text next to calls is their tool_plan. An
// empty message is left out, since Cohere refuses it.
func (w *messageWriter) assistant(m *chat.Message, i int) error {
	var calls, texts, thoughts int
	for j := range m.Parts {
		switch p := &m.Parts[j]; {
		case p.Kind == chat.ToolCall:
			calls++
		case (p.Kind == chat.Text || p.Kind == chat.Refusal) && !p.Text.Empty():
			texts++
		case p.Kind == chat.Thinking && !p.Text.Empty():
			thoughts++
		case p.Kind == chat.Text, p.Kind == chat.Refusal, p.Kind == chat.Thinking, p.Kind == chat.RedactedThinking:
		default:
			return cannotSend(p, i, j)
		}
	}
	if calls+texts+thoughts == 0 {
		return nil
	}
	w.open("assistant")
	if calls > 0 && texts > 0 {
		w.dst = jsonedit.AppendText(w.dst, "tool_plan", said(m.Parts))
		texts = 0
	}
	switch {
	case thoughts > 0:
		w.dst = appendThoughts(jsonedit.AppendName(w.dst, "content"), m.Parts, texts > 0)
	case texts > 0:
		w.dst = jsonedit.AppendText(w.dst, "content", said(m.Parts))
	}
	if calls > 0 {
		w.dst = appendCalls(jsonedit.AppendName(w.dst, "tool_calls"), m.Parts)
	}
	w.dst = append(w.dst, '}')
	return nil
}

// said returns the text of an assistant's message.
func said(parts []chat.Part) string {
	var all strings.Builder
	for j := range parts {
		if parts[j].Kind == chat.Text || parts[j].Kind == chat.Refusal {
			all.WriteString(parts[j].Text.String())
		}
	}
	return all.String()
}

func appendThoughts(dst []byte, parts []chat.Part, texts bool) []byte {
	separator := byte('[')
	for j := range parts {
		p := &parts[j]
		switch {
		case p.Text.Empty():
			continue
		case p.Kind == chat.Thinking:
			dst = append(dst, separator)
			dst = append(p.Text.Append(append(dst, `{"type":"thinking","thinking":`...)), '}')
		case texts && (p.Kind == chat.Text || p.Kind == chat.Refusal):
			dst = appendTextBlock(append(dst, separator), p.Text)
		default:
			continue
		}
		separator = ','
	}
	return append(dst, ']')
}

func appendCalls(dst []byte, parts []chat.Part) []byte {
	separator := byte('[')
	for j := range parts {
		p := &parts[j]
		if p.Kind != chat.ToolCall {
			continue
		}
		dst = jsonedit.AppendString(append(append(dst, separator), `{"id":`...), p.ID)
		dst = jsonedit.AppendString(append(dst, `,"type":"function","function":{"name":`...), p.Name)
		arguments := p.Arguments
		if arguments.Blank() {
			arguments = jsonedit.Plain("{}")
		}
		dst = append(arguments.AppendMember(dst, "arguments"), "}}"...)
		separator = ','
	}
	return append(dst, ']')
}
