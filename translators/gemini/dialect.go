package gemini

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

// Dialect is generateContent as a client speaks it, with streams of
// server-sent events (alt=sse). Model and Stream are in the URL and not set by
// ParseRequest. What only Google has is left out of a translated request:
// safetySettings, labels, toolConfig.retrievalConfig, and generationConfig but
// for what ParseRequest names. cachedContent is refused: it holds a part of the
// prompt.
var Dialect chat.Dialect = dialect{}

// ArrayDialect is Dialect with streams as one JSON array, which clients get without
// alt=sse.
var ArrayDialect chat.Dialect = dialect{array: true}

type dialect struct{ array bool }

// request is a client's body that is being read into the internal form.
type request struct {
	*chat.Request
	open []*chat.Part // calls that have no result yet
}

// ParseRequest implements chat.Dialect. Names may be in camel case or in snake
// case.
func (dialect) ParseRequest(v *jsonedit.Value) (*chat.Request, error) {
	if first(v, "cachedContent", "cached_content") != nil {
		return nil, &chat.RequestError{Field: "cachedContent", Message: "only Gemini itself can read its cache"}
	}
	q := request{Request: &chat.Request{}}
	if s := first(v, "systemInstruction", "system_instruction"); s != nil {
		if err := q.system(s); err != nil {
			return nil, err
		}
	}
	contents, err := list(v.Get("contents"), "contents")
	if err != nil {
		return nil, err
	}
	if len(contents) == 0 {
		return nil, &chat.RequestError{Field: "contents", Message: "is missing"}
	}
	for i, c := range contents {
		if err := q.content(i, c); err != nil {
			return nil, err
		}
	}
	q.Messages = joined(q.Messages)
	if err := q.tools(v.Get("tools")); err != nil {
		return nil, err
	}
	if c := first(first(v, "toolConfig", "tool_config"), "functionCallingConfig", "function_calling_config"); c != nil {
		if err := q.toolChoice(c); err != nil {
			return nil, err
		}
	}
	q.FitTools()
	return q.Request, q.generationConfig(first(v, "generationConfig", "generation_config"))
}

// list returns the elements of an array. One object counts as a list of one.
func list(v *jsonedit.Value, field string) ([]*jsonedit.Value, error) {
	switch {
	case v == nil || v.Type() == jsonedit.TypeNull:
		return nil, nil
	case v.Type() == jsonedit.TypeArray:
		return v.GetArray(), nil
	case v.Type() == jsonedit.TypeObject:
		return []*jsonedit.Value{v}, nil
	}
	return nil, &chat.RequestError{Field: field, Message: "must be an array"}
}

func (q *request) system(v *jsonedit.Value) error {
	m := chat.Message{Role: chat.System}
	if v.Type() == jsonedit.TypeString {
		m.Parts = []chat.Part{{Kind: chat.Text, Text: v.GetText()}}
	}
	parts, err := list(v.Get("parts"), "systemInstruction.parts")
	if err != nil {
		return err
	}
	for i, p := range parts {
		said := p.Get("text")
		if said == nil {
			return &chat.RequestError{Field: fmt.Sprintf("systemInstruction.parts[%d]", i), Message: "must be text"}
		}
		m.Parts = append(m.Parts, chat.Part{Kind: chat.Text, Text: said.GetText()})
	}
	if len(m.Parts) > 0 {
		q.Messages = append(q.Messages, m)
	}
	return nil
}

// content reads one turn. Function responses become messages of their own, before the
// rest of the turn.
func (q *request) content(i int, v *jsonedit.Value) error {
	at := fmt.Sprintf("contents[%d]", i)
	m := chat.Message{Role: chat.User}
	switch role := string(v.GetStringBytes("role")); role {
	case "", "user", "human", "function", "tool":
	case "model", "assistant":
		m.Role = chat.Assistant
	default:
		return &chat.RequestError{Field: at + ".role", Message: fmt.Sprintf("must be user or model, not '%s'", role)}
	}
	parts, err := list(v.Get("parts"), at+".parts")
	if err != nil {
		return err
	}
	calls := 0
	for j, p := range parts {
		if r := first(p, "functionResponse", "function_response"); r != nil {
			q.Messages = append(q.Messages, chat.Message{Role: chat.ToolRole, Parts: []chat.Part{q.result(r)}})
			continue
		}
		part, ok := parsePart(p)
		if part.Kind == chat.Opaque {
			part = ranOnServer(p, part)
		}
		if !ok && p.Get("text") == nil {
			return &chat.RequestError{Field: fmt.Sprintf("%s.parts[%d]", at, j), Message: "holds nothing"}
		}
		if part.Kind == chat.ToolCall {
			if part.Name == "" {
				return &chat.RequestError{Field: fmt.Sprintf("%s.parts[%d].functionCall.name", at, j), Message: "is missing"}
			}
			if part.ID == "" {
				part.ID = string(appendCallID(nil, nil, i, calls, part.Name, part.Arguments.String()))
			}
			calls++
		}
		part.Sign(part.Signature, origin.Google)
		if !addRun(&m.Parts, &part) {
			m.Parts = append(m.Parts, part)
		}
	}
	if len(parts) == 0 {
		return &chat.RequestError{Field: at + ".parts", Message: "must not be empty"}
	}
	if len(m.Parts) == 0 {
		return nil
	}
	q.Messages = append(q.Messages, m)
	for j := range m.Parts {
		if m.Parts[j].Kind == chat.ToolCall {
			q.open = append(q.open, &m.Parts[j])
		}
	}
	return nil
}

// result reads a functionResponse. It belongs to the call with its id or, as ids are
// optional, to the first of its name that has no result yet.
func (q *request) result(v *jsonedit.Value) chat.Part {
	part := chat.Part{Kind: chat.ToolResult, ID: string(v.GetStringBytes("id")), Name: string(v.GetStringBytes("name"))}
	k := slices.IndexFunc(q.open, func(c *chat.Part) bool { return part.ID != "" && c.ID == part.ID })
	if k < 0 {
		k = slices.IndexFunc(q.open, func(c *chat.Part) bool { return c.Name == part.Name || part.Name == "" })
	}
	if k >= 0 {
		part.ID, part.Name = q.open[k].ID, q.open[k].Name
		q.open = slices.Delete(q.open, k, k+1)
	}
	said := v.Get("response")
	if o := said.GetObject(); o != nil && o.Len() == 1 {
		for _, name := range [...]string{"output", "result", "error"} {
			if inner := o.Get(name); inner != nil {
				said, part.IsError = inner, name == "error"
			}
		}
	}
	switch {
	case said == nil:
	case said.Type() == jsonedit.TypeString:
		part.Parts = append(part.Parts, chat.Part{Kind: chat.Text, Text: said.GetText()})
	default:
		part.Parts = append(part.Parts, chat.Part{Kind: chat.Text, Text: jsonedit.PlainBytes(jsonedit.AppendValue(nil, said))})
	}
	for _, p := range v.GetArray("parts") {
		if media, ok := parsePart(p); ok && media.Media != nil {
			part.Parts = append(part.Parts, media)
		}
	}
	return part
}

func (q *request) tools(v *jsonedit.Value) error {
	tools, err := list(v, "tools")
	if err != nil {
		return err
	}
	for i, t := range tools {
		var refused error
		t.GetObject().Visit(func(key []byte, m *jsonedit.Value) {
			if name := string(key); name != "functionDeclarations" && name != "function_declarations" {
				native := append(jsonedit.AppendBytes([]byte{'{'}, key), ':')
				q.Tools = append(q.Tools, chat.HostedTool(name, "", append(jsonedit.AppendValue(native, m), '}')))
				return
			}
			for j, f := range m.GetArray() {
				tool := chat.Tool{Name: string(f.GetStringBytes("name")), Description: f.GetText("description")}
				if tool.Name == "" && refused == nil {
					refused = &chat.RequestError{Field: fmt.Sprintf("tools[%d].functionDeclarations[%d].name", i, j), Message: "is missing"}
				}
				tool.Parameters = schemaOf(f.Get("parameters"), first(f, "parametersJsonSchema", "parameters_json_schema"))
				q.Tools = append(q.Tools, tool)
			}
		})
		if refused != nil {
			return refused
		}
	}
	return nil
}

// toolChoice reads functionCallingConfig. Several functions of which one is to be called
// are all that are offered.
func (q *request) toolChoice(v *jsonedit.Value) error {
	var allowed []string
	for _, name := range first(v, "allowedFunctionNames", "allowed_function_names").GetArray() {
		allowed = append(allowed, string(name.GetStringBytes()))
	}
	switch strings.ToUpper(string(v.GetStringBytes("mode"))) {
	case "AUTO", "VALIDATED":
		q.ToolChoice.Mode = "auto"
	case "NONE":
		q.ToolChoice.Mode = "none"
	case "ANY":
		q.ToolChoice.Mode = "required"
		if len(allowed) == 1 {
			q.ToolChoice, allowed = chat.ToolChoice{Mode: "function", Name: allowed[0]}, nil
		}
	}
	if !q.Allow(allowed) {
		return &chat.RequestError{Field: "toolConfig.functionCallingConfig.allowedFunctionNames", Message: "has a name that is not among the tools"}
	}
	return nil
}

// generationConfig reads the sampling parameters, stopSequences, the response's
// type and schema, thinkingConfig and responseModalities.
func (q *request) generationConfig(v *jsonedit.Value) error {
	if v == nil {
		return nil
	}
	for _, n := range [...]struct {
		camel, snake string
		to           *chat.Number
	}{
		{"maxOutputTokens", "max_output_tokens", &q.MaxTokens}, {"temperature", "temperature", &q.Temperature},
		{"topP", "top_p", &q.TopP}, {"topK", "top_k", &q.TopK}, {"candidateCount", "candidate_count", &q.N}, {"seed", "seed", &q.Seed},
		{"presencePenalty", "presence_penalty", &q.PresencePenalty}, {"frequencyPenalty", "frequency_penalty", &q.FrequencyPenalty},
		{"logprobs", "logprobs", &q.TopLogprobs},
	} {
		if m := first(v, n.camel, n.snake); m != nil {
			if err := setNumber(n.to, m); err != nil {
				return &chat.RequestError{Field: "generationConfig." + n.camel, Message: err.Error()}
			}
		}
	}
	if m := first(v, "responseLogprobs", "response_logprobs"); m != nil {
		wanted := m.GetBool()
		q.Logprobs = &wanted
	}
	for _, s := range first(v, "stopSequences", "stop_sequences").GetArray() {
		q.Stop = append(q.Stop, string(s.GetStringBytes()))
	}
	if string(first(v, "responseMimeType", "response_mime_type").GetStringBytes()) == "application/json" {
		q.ResponseFormat.Type = "json_object"
	}
	if s := schemaOf(first(v, "responseSchema", "response_schema"), first(v, "responseJsonSchema", "response_json_schema")); s != nil {
		q.ResponseFormat = chat.ResponseFormat{Type: "json_schema", Name: "response", Schema: s}
	}
	if t := first(v, "thinkingConfig", "thinking_config"); t != nil {
		q.Thoughts = first(t, "includeThoughts", "include_thoughts").GetBool()
		q.ReasoningEffort = strings.ToLower(string(first(t, "thinkingLevel", "thinking_level").GetStringBytes()))
		if b := first(t, "thinkingBudget", "thinking_budget"); b != nil {
			if err := setNumber(&q.ReasoningBudget, b); err != nil {
				return &chat.RequestError{Field: "generationConfig.thinkingConfig.thinkingBudget", Message: err.Error()}
			}
			switch n, ok := q.ReasoningBudget.Int(); {
			case ok && n < 0: // the model decides
				q.ReasoningBudget = ""
			case ok && n == 0:
				q.ReasoningBudget, q.ReasoningEffort = "", "none"
			}
		}
	}
	if m := first(v, "responseModalities", "response_modalities"); len(m.GetArray()) > 0 {
		wanted := []byte{'['}
		for _, name := range m.GetArray() {
			wanted = jsonedit.AppendString(jsonedit.AppendComma(wanted), strings.ToLower(string(name.GetStringBytes())))
		}
		q.Extra = append(q.Extra, chat.Member{Name: "modalities", Value: append(wanted, ']')})
	}
	return nil
}

var errNoNumber = errors.New("must be a number")

// setNumber reads a number, which JSON of protocol buffers may also have as a string.
func setNumber(to *chat.Number, v *jsonedit.Value) error {
	n := chat.Number(v.GetStringBytes())
	if v.Type() == jsonedit.TypeNumber {
		n = chat.Number(jsonedit.AppendValue(nil, v))
	}
	if jsonedit.ValidString(string(n)) != nil {
		return errNoNumber
	}
	if _, ok := n.Float(); !ok {
		return errNoNumber
	}
	*to = n
	return nil
}
