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
	sealedRun      = "hosted:"
)

// stateful are the members that refer to what a server has stored, and what to do
// where none does.
var stateful = map[string]string{
	"previous_response_id": "this provider stores no answers: set store to false in the client, so that it sends the whole conversation in input",
	"conversation":         "this provider stores no conversations: send the whole conversation in input, with store set to false",
	"prompt":               "this provider stores no prompts: send instructions and input",
}

// ParseRequest implements chat.Dialect.
func (responsesDialect) ParseRequest(o *jsonedit.Value) (*chat.Request, error) {
	req := &chat.Request{}
	if text, _ := textAt(o, "instructions"); !text.Empty() {
		req.Messages = append(req.Messages, chat.Message{Role: chat.System, Parts: []chat.Part{{Kind: chat.Text, Text: text}}})
	}
	if err := visit(o, func(name string, v *jsonedit.Value) error { return parseResponsesMember(req, name, v) }); err != nil {
		return nil, err
	}
	// The history calls tools by the names that they are offered with.
	tools := newToolbox(req)
	if v := orNull(o.Get("tools")); v.Type() != jsonedit.TypeNull {
		if err := tools.offer(v); err != nil {
			return nil, within("tools", err)
		}
	}
	if err := parseInput(req, tools, orNull(o.Get("input"))); err != nil {
		return nil, within("input", err)
	}
	if v := orNull(o.Get("tool_choice")); v.Type() != jsonedit.TypeNull {
		if err := tools.choice(v); err != nil {
			return nil, within("tool_choice", err)
		}
	}
	req.FitSchemas()
	return req, nil
}

func parseResponsesMember(req *chat.Request, name string, v *jsonedit.Value) error {
	if why, ok := stateful[name]; ok {
		return refuse("", why)
	}
	switch name {
	case "input", "instructions", "tools", "tool_choice": // see ParseRequest
		return nil
	case "client_metadata":
		return nil // for OpenAI's own statistics
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
		return nil // answers have none
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

// reasoning reads what was thought. What OpenAI itself has sealed can be read
// by nobody else, and is left out.
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
	if token, ok := strings.CutPrefix(sealed, sealedRun); ok {
		t.ran(token)
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
