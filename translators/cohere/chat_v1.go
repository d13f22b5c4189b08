package cohere

import (
	"bytes"
	"fmt"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// chatV1 is version 1 of Chat: the last message is the question, the others are its
// history. https://docs.cohere.com/v1/reference/chat
type chatV1 struct{}

// nativesV1 lists members of version 1 that the internal form has no field for.
var nativesV1 = []string{
	"citation_quality", "connectors", "conversation_id", "documents", "force_single_step", "max_input_tokens",
	"preamble", "prompt_truncation", "raw_prompting", "safety_mode", "search_queries_only",
}

// AppendRequest implements chat.Upstream.
func (chatV1) AppendRequest(dst []byte, t *target.Target, r *chat.Request) ([]byte, error) {
	if err := oneKind(r); err != nil {
		return nil, err
	}
	r = limits.Fit(r)
	turns, err := arrange(r.Messages)
	if err != nil {
		return nil, err
	}
	dst = jsonedit.AppendString(append(dst, `{"model":`...), t.Model)
	last := turns[len(turns)-1]
	if len(turns) > 1 {
		dst = append(jsonedit.AppendName(dst, "chat_history"), '[')
		for i := range turns[:len(turns)-1] {
			dst = jsonedit.AppendComma(dst)
			dst = append(turns[i].append(append(dst, '{')), '}')
		}
		dst = append(dst, ']')
	}
	dst = jsonedit.AppendText(dst, "message", last.text)
	if len(last.results) > 0 {
		dst = appendResults(append(dst, ','), last.results)
	}
	dst = jsonedit.AppendBool(dst, "stream", r.Stream)
	if dst, err = appendToolsV1(dst, r); err != nil {
		return nil, err
	}
	dst = jsonedit.AppendRaw(dst, "max_tokens", r.MaxTokens)
	dst = jsonedit.AppendRaw(dst, "temperature", r.Temperature)
	dst = jsonedit.AppendRaw(dst, "p", r.TopP)
	dst = appendSampling(dst, r)
	dst = jsonedit.AppendTexts(dst, "stop_sequences", r.Stop)
	dst = appendResponseFormat(dst, &r.ResponseFormat, "schema")
	return append(chat.AppendExtra(dst, r, nativesV1...), '}'), nil
}

// ParseResponse implements chat.Upstream.
func (chatV1) ParseResponse(t *target.Target, body []byte) (*chat.Response, error) {
	return parseAnswer(t, body)
}

// NewStream implements chat.Upstream.
func (chatV1) NewStream(*target.Target) chat.Stream { return &stream{} }

// turnV1 is an element of chat_history.
type turnV1 struct {
	role    string
	text    string
	calls   []*chat.Part
	results []resultV1
}

// resultV1 is the result of a call. Calls have no ids in version 1, so each result
// repeats its call.
type resultV1 struct {
	call   *chat.Part
	output string
}

// arrange turns messages into turns. System messages become the user's, as in Kong.
// Consecutive results are one turn.
func arrange(messages []chat.Message) ([]turnV1, error) {
	if len(messages) == 0 {
		return nil, &chat.RequestError{Field: "messages", Message: "must have at least one message"}
	}
	var turns []turnV1
	calls := map[string]*chat.Part{}
	for i := range messages {
		m := &messages[i]
		turn := turnV1{role: "USER", text: said(m.Parts)}
		if m.Role == chat.Assistant {
			turn.role = "CHATBOT"
		}
		results := false
		for j := range m.Parts {
			p := &m.Parts[j]
			switch p.Kind {
			case chat.Text, chat.Refusal: // in turn.text
			case chat.Thinking, chat.RedactedThinking: // the format has nothing for them
			case chat.ToolCall:
				if !validArguments(p.Arguments.String()) {
					return nil, &chat.RequestError{Field: fmt.Sprintf("messages[%d].tool_calls", i), Message: "the arguments of " + p.Name + " are no JSON object"}
				}
				calls[p.ID] = p
				turn.calls = append(turn.calls, p)
			case chat.ToolResult:
				results = true
				result, err := resultOf(calls, p, i)
				if err != nil {
					return nil, err
				}
				turns = addResult(turns, result)
			default:
				return nil, cannotSend(p, i, j)
			}
		}
		if results && turn.text == "" || m.Role == chat.Assistant && turn.text == "" && len(turn.calls) == 0 {
			continue
		}
		turns = append(turns, turn)
	}
	if len(turns) == 0 {
		return nil, &chat.RequestError{Field: "messages", Message: "say nothing"}
	}
	return turns, nil
}

func resultOf(calls map[string]*chat.Part, p *chat.Part, i int) (resultV1, error) {
	call := calls[p.ID]
	if call == nil {
		return resultV1{}, &chat.RequestError{Field: fmt.Sprintf("messages[%d].tool_call_id", i), Message: fmt.Sprintf("no assistant message before it made the call %q", p.ID)}
	}
	output, err := resultText(p, i)
	return resultV1{call, output}, err
}

func addResult(turns []turnV1, result resultV1) []turnV1 {
	if n := len(turns); n > 0 && turns[n-1].role == "TOOL" {
		turns[n-1].results = append(turns[n-1].results, result)
		return turns
	}
	return append(turns, turnV1{role: "TOOL", results: []resultV1{result}})
}

func validArguments(arguments string) bool {
	arguments = strings.TrimSpace(arguments)
	return arguments == "" || arguments[0] == '{' && jsonedit.ValidString(arguments) == nil
}

// append writes the members of a turn.
func (t *turnV1) append(dst []byte) []byte {
	dst = append(append(append(dst, `"role":"`...), t.role...), '"')
	if len(t.results) > 0 {
		return appendResults(append(dst, ','), t.results)
	}
	dst = jsonedit.AppendText(dst, "message", t.text)
	for i, c := range t.calls {
		if i == 0 {
			dst = append(jsonedit.AppendName(dst, "tool_calls"), '[')
		} else {
			dst = append(dst, ',')
		}
		dst = appendCallV1(dst, c)
	}
	if len(t.calls) > 0 {
		dst = append(dst, ']')
	}
	return dst
}

func appendCallV1(dst []byte, p *chat.Part) []byte {
	dst = jsonedit.AppendString(append(dst, `{"name":`...), p.Name)
	arguments := strings.TrimSpace(p.Arguments.String())
	if arguments == "" {
		arguments = "{}"
	}
	return append(append(jsonedit.AppendName(dst, "parameters"), arguments...), '}')
}

// appendResults writes tool_results. An output is an object: text is put into a
// member "output".
func appendResults(dst []byte, results []resultV1) []byte {
	dst = append(dst, `"tool_results":[`...)
	for i := range results {
		dst = jsonedit.AppendComma(dst)
		dst = appendCallV1(append(dst, `{"call":`...), results[i].call)
		dst = append(dst, `,"outputs":[`...)
		if output := strings.TrimSpace(results[i].output); output != "" && validArguments(output) {
			dst = append(dst, output...)
		} else {
			dst = append(jsonedit.AppendString(append(dst, `{"output":`...), results[i].output), '}')
		}
		dst = append(dst, "]}"...)
	}
	return append(dst, ']')
}

// appendToolsV1 writes tools, or none if no tool may be called.
func appendToolsV1(dst []byte, r *chat.Request) ([]byte, error) {
	switch r.ToolChoice.Mode {
	case "none":
		return dst, nil
	case "required", "function":
		return nil, &chat.RequestError{Field: "tool_choice", Message: "version 1 of Chat cannot be made to call a tool, " +
			"by tool_choice or function_call: let the path end in /v2/chat"}
	}
	for i := range r.Tools {
		t := &r.Tools[i]
		if i == 0 {
			dst = append(jsonedit.AppendName(dst, "tools"), '[')
		} else {
			dst = append(dst, ',')
		}
		dst = jsonedit.AppendString(append(dst, `{"name":`...), t.Name)
		description := t.Description
		if description.Empty() {
			description = jsonedit.Plain(t.Name) // required
		}
		dst = append(appendParameterDefinitions(description.AppendMember(dst, "description"), t.Parameters), '}')
	}
	if len(r.Tools) > 0 {
		dst = append(dst, ']')
	}
	return dst, nil
}

// pythonTypes maps JSON's types to version 1's names.
// https://docs.cohere.com/v1/docs/parameter-types-in-tool-use
var pythonTypes = map[string]string{"string": "str", "integer": "int", "number": "float", "boolean": "bool", "array": "list", "object": "dict"}

// appendParameterDefinitions turns a JSON schema's properties into version 1's flat
// list. Everything else (choices, nested objects) is put into the description, as
// JSON schema.
func appendParameterDefinitions(dst []byte, schema chat.Raw) []byte {
	v, err := jsonedit.Parse(schema)
	properties := v.GetObject("properties")
	if err != nil || properties == nil || properties.Len() == 0 {
		return dst
	}
	required := map[string]bool{}
	for _, name := range v.GetArray("required") {
		required[string(name.GetStringBytes())] = true
	}
	dst = append(jsonedit.AppendName(dst, "parameter_definitions"), '{')
	first := true
	properties.Visit(func(key []byte, p *jsonedit.Value) {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(jsonedit.AppendBytes(dst, key), ':')
		dst = append(append(dst, `{"type":`...), '"')
		dst = append(append(dst, pythonType(p)...), '"')
		if d := definition(p); d != "" {
			dst = jsonedit.AppendText(dst, "description", d)
		}
		dst = jsonedit.AppendBool(dst, "required", required[string(key)])
		dst = append(dst, '}')
	})
	return append(dst, '}')
}

func pythonType(p *jsonedit.Value) string {
	kind := pythonTypes[p.GetString("type")]
	switch {
	case kind == "":
		return "str"
	case kind == "list" && pythonTypes[p.GetString("items", "type")] != "":
		return "List[" + pythonTypes[p.GetString("items", "type")] + "]"
	}
	return kind
}

// definition returns a property's description, with its schema if that says more than
// the type.
func definition(p *jsonedit.Value) string {
	description := p.GetString("description")
	more := false
	p.GetObject().Visit(func(key []byte, v *jsonedit.Value) {
		switch string(key) {
		case "type":
			more = more || v.Type() != jsonedit.TypeString
		case "items":
			more = more || string(jsonedit.AppendValue(nil, v)) != `{"type":"`+v.GetString("type")+`"}`
		case "description", "title":
		default:
			more = true
		}
	})
	if !more {
		return description
	}
	return string(bytes.TrimSpace(jsonedit.AppendValue([]byte(description+"\nJSON schema: "), p)))
}
