package openai

import (
	"fmt"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

// Responses is the dialect of POST /v1/responses, for providers that do not have this
// API. Nothing is stored: the client sends the history itself, and requests that need
// stored state (previous_response_id, conversation, background, a stored prompt) are
// refused.
//
// Signatures of thinking, redacted thinking and Gemini's signatures of calls are put
// into encrypted_content of reasoning items, which clients send back.
// https://platform.openai.com/docs/api-reference/responses
var Responses chat.Dialect = responsesDialect{}

type responsesDialect struct{}

// The prefixes of our encrypted_content, which say what it holds.
const (
	sealedThinking = "signature:"
	sealedRedacted = "redacted:"
	sealedCall     = "call:"
)

// stateful holds the members that refer to something that a server has stored, and
// why they cannot be served.
var stateful = map[string]string{
	"previous_response_id": "the provider stores no responses: send the earlier items in input",
	"conversation":         "the provider stores no conversations: send the earlier items in input",
	"prompt":               "the provider stores no prompts: send instructions and input",
}

// ParseRequest implements chat.Dialect.
func (responsesDialect) ParseRequest(body []byte) (*chat.Request, error) {
	req := &chat.Request{}
	err := withObject(body, func(o *jsonedit.Value) error {
		if text, _ := textAt(o, "instructions"); !text.Empty() {
			req.Messages = append(req.Messages, chat.Message{Role: chat.System, Parts: []chat.Part{{Kind: chat.Text, Text: text}}})
		}
		if err := parseInput(req, orNull(o.Get("input"))); err != nil {
			return within("input", err)
		}
		return visit(o, func(name string, v *jsonedit.Value) error { return parseResponsesMember(req, name, v) })
	})
	if err != nil {
		return nil, err
	}
	return req, nil
}

func parseResponsesMember(req *chat.Request, name string, v *jsonedit.Value) error {
	if why, ok := stateful[name]; ok {
		return refuse("", why)
	}
	switch name {
	case "input", "instructions":
		return nil
	case "include", "truncation", "stream_options", "max_tool_calls", "store":
		return nil // only about the server's own loop and storage
	case "background":
		if v.GetBool() {
			return refuse("", "the provider answers at once: leave it out")
		}
		return nil
	case "max_output_tokens":
		return setNumber(&req.MaxTokens, v)
	case "top_logprobs":
		return nil // answers have no such member
	case "tools":
		return parseTools(req, v, parseResponsesTool)
	case "tool_choice":
		return parseResponsesChoice(&req.ToolChoice, v)
	case "parallel_tool_calls":
		return setBoolPtr(&req.ParallelTools, v)
	case "reasoning":
		return parseReasoning(req, v)
	case "text":
		return parseTextOptions(req, v)
	}
	return parseSampling(req, name, v)
}

// parseTextOptions reads text.format and text.verbosity.
func parseTextOptions(req *chat.Request, v *jsonedit.Value) error {
	return visitObject(v, func(name string, v *jsonedit.Value) error {
		switch name {
		case "verbosity":
			req.Extra = append(req.Extra, chat.Member{Name: name})
			return setRaw(&req.Extra[len(req.Extra)-1].Value, v)
		case "format":
			f := &req.ResponseFormat
			return visitObject(v, func(name string, v *jsonedit.Value) error {
				if name == "type" {
					return setString(&f.Type, v)
				}
				return setSchema(f, name, v)
			})
		}
		return nil
	})
}

func parseResponsesTool(req *chat.Request, v *jsonedit.Value) error {
	o, err := objectOf(v)
	if err != nil {
		return err
	}
	switch typ, _ := stringAt(o, "type"); typ {
	case "function":
		var tool chat.Tool
		err := setDeclared(&tool, v)
		req.Tools = append(req.Tools, tool)
		return err
	case "web_search", "web_search_preview":
		req.Extra = append(req.Extra, chat.Member{Name: "web_search_options", Value: chat.Raw("{}")})
		return nil
	default:
		return refuse("type", fmt.Sprintf("%q is a tool of OpenAI's own servers: use functions", typ))
	}
}

// parseResponsesChoice reads tool_choice, where the function's name is at the top
// level. For allowed_tools only the mode is used.
func parseResponsesChoice(to *chat.ToolChoice, v *jsonedit.Value) error {
	o, err := parseMode(to, v)
	if o == nil || err != nil {
		return err
	}
	switch typ, _ := stringAt(o, "type"); typ {
	case "function":
		return setChosen(to, o)
	case "allowed_tools":
		to.Mode, _ = stringAt(o, "mode")
		return nil
	}
	return errNoFunction
}

// transcript is the conversation in input items. Consecutive items of the model
// become one message.
type transcript struct {
	req    *chat.Request
	sealed string            // the signature of the next call
	names  map[string]string // of the functions called, by call id
}

// parseInput reads input: a string, or items.
func parseInput(req *chat.Request, v *jsonedit.Value) error {
	if v.Type() == jsonedit.TypeString {
		req.Messages = append(req.Messages, chat.Message{Role: chat.User, Parts: []chat.Part{{Kind: chat.Text, Text: v.GetText()}}})
		return nil
	}
	items, err := arrayOf(v)
	if err != nil {
		return refuse("", "must be a string or an array of items")
	}
	t := transcript{req: req, names: map[string]string{}}
	for i, item := range items {
		o, err := objectOf(item)
		if err == nil {
			err = t.item(o)
		}
		if err != nil {
			return within(index("", i), err)
		}
	}
	return nil
}

func (t *transcript) item(o *jsonedit.Value) error {
	typ, _ := stringAt(o, "type")
	switch typ {
	case "message", "":
		return t.message(o)
	case "function_call":
		part := chat.Part{Kind: chat.ToolCall}
		part.Sign(t.sealed, origin.Unknown)
		t.sealed = ""
		part.ID, _ = stringAt(o, "call_id")
		part.Name, _ = stringAt(o, "name")
		part.Arguments, _ = textAt(o, "arguments")
		if part.Name == "" || part.ID == "" {
			return refuse("", "a function_call needs call_id and name")
		}
		t.names[part.ID] = part.Name
		t.assistant(part)
	case "function_call_output":
		return t.output(o)
	case "reasoning":
		t.reasoning(o)
	case "item_reference":
		return refuse("type", "item_reference needs a server that stores items: send the item itself")
	default:
		return refuse("type", fmt.Sprintf("%q is an item of OpenAI's own tools and cannot be translated", typ))
	}
	return nil
}

// assistant adds a part to the model's turn.
func (t *transcript) assistant(part chat.Part) {
	if n := len(t.req.Messages); n > 0 && t.req.Messages[n-1].Role == chat.Assistant {
		m := &t.req.Messages[n-1]
		m.Parts = append(m.Parts, part)
		return
	}
	t.req.Messages = append(t.req.Messages, chat.Message{Role: chat.Assistant, Parts: []chat.Part{part}})
}

func (t *transcript) message(o *jsonedit.Value) error {
	role, _ := stringAt(o, "role")
	parts, err := parseResponsesContent(orNull(o.Get("content")))
	if err != nil {
		return within("content", err)
	}
	switch role {
	case "assistant":
		for _, p := range parts {
			t.assistant(p)
		}
	case "user":
		t.req.Messages = append(t.req.Messages, chat.Message{Role: chat.User, Parts: parts})
	case "system", "developer":
		t.req.Messages = append(t.req.Messages, chat.Message{Role: chat.System, Parts: parts})
	default:
		return refuse("role", "must be user, assistant, system or developer")
	}
	return nil
}

func (t *transcript) output(o *jsonedit.Value) error {
	part := chat.Part{Kind: chat.ToolResult}
	part.ID, _ = stringAt(o, "call_id")
	if part.ID == "" {
		return refuse("call_id", "is missing")
	}
	part.Name = t.names[part.ID]
	var err error
	if part.Parts, err = parseResponsesContent(orNull(o.Get("output"))); err != nil {
		return within("output", err)
	}
	t.req.Messages = append(t.req.Messages, chat.Message{Role: chat.ToolRole, Parts: []chat.Part{part}})
	return nil
}

// reasoning reads a reasoning item. encrypted_content of OpenAI itself cannot be read
// by anyone else and is left out.
func (t *transcript) reasoning(o *jsonedit.Value) {
	var inside []byte // as in a JSON string
	for _, list := range [...]string{"content", "summary"} {
		for _, part := range orNull(o.Get(list)).GetArray() {
			if s := part.GetText("text"); !s.Empty() {
				if len(inside) > 0 {
					inside = append(inside, `\n`...)
				}
				inside = s.AppendInside(inside)
			}
		}
		if len(inside) > 0 {
			break
		}
	}
	sealed, _ := stringAt(o, "encrypted_content")
	if data, ok := strings.CutPrefix(sealed, sealedRedacted); ok {
		part := chat.Part{Kind: chat.RedactedThinking}
		part.Sign(data, origin.Unknown)
		t.assistant(part)
		return
	}
	if signature, ok := strings.CutPrefix(sealed, sealedCall); ok {
		t.sealed = signature
		return
	}
	signature, _ := strings.CutPrefix(sealed, sealedThinking)
	if signature == sealed {
		signature = ""
	}
	if len(inside) > 0 || signature != "" {
		part := chat.Part{Kind: chat.Thinking, Text: jsonedit.Quoted(string(inside))}
		part.Sign(signature, origin.Unknown)
		t.assistant(part)
	}
}

// parseResponsesContent reads a string, or parts.
func parseResponsesContent(v *jsonedit.Value) ([]chat.Part, error) {
	switch v.Type() {
	case jsonedit.TypeString:
		return []chat.Part{{Kind: chat.Text, Text: v.GetText()}}, nil
	case jsonedit.TypeArray:
	default:
		return nil, refuse("", "must be a string or an array of parts")
	}
	var parts []chat.Part
	for i, item := range v.GetArray() {
		part, err := parseResponsesPart(item)
		if err != nil {
			return nil, within(index("", i), err)
		}
		parts = append(parts, part)
	}
	return parts, nil
}

func parseResponsesPart(v *jsonedit.Value) (part chat.Part, err error) {
	o, err := objectOf(v)
	if err != nil {
		return part, err
	}
	switch typ, _ := stringAt(o, "type"); typ {
	case "input_text", "output_text", "text":
		part.Kind = chat.Text
		part.Text, _ = textAt(o, "text")
	case "refusal":
		part.Kind = chat.Refusal
		part.Text, _ = textAt(o, "refusal")
	case "input_image":
		part.Kind, part.Media = chat.Image, &chat.Media{}
		part.Media.Detail, _ = stringAt(o, "detail")
		if url, ok := textAt(o, "image_url"); ok {
			return part, within("image_url", setURL(part.Media, url))
		}
		if part.Media.FileID, _ = stringAt(o, "file_id"); part.Media.FileID == "" {
			return part, refuse("", "an input_image needs image_url or file_id")
		}
	case "input_audio":
		part.Kind = chat.Audio
		return part, within("input_audio", parseAudio(&part, orNull(o.Get("input_audio"))))
	case "input_file":
		part.Kind = chat.File
		if url, ok := textAt(o, "file_url"); ok {
			part.Media = &chat.Media{}
			part.Media.Filename, _ = stringAt(o, "filename")
			return part, within("file_url", setURL(part.Media, url))
		}
		return part, parseFile(&part, v)
	default:
		return part, refuse("type", fmt.Sprintf("%q cannot be translated", typ))
	}
	return part, nil
}
