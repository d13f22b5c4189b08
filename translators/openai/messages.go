package openai

import (
	"errors"
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

// history is what is needed of earlier messages to read the next: which id belongs to
// which function.
type history struct {
	names  map[string]string // function name by tool call id
	legacy map[string]string // last id given to a function_call, by name
}

func parseMessages(req *chat.Request, v *jsonedit.Value) error {
	list, err := arrayOf(v)
	if err != nil {
		return err
	}
	req.Messages = make([]chat.Message, len(list))
	var h history
	for i, v := range list {
		if err := h.parseMessage(&req.Messages[i], v, i); err != nil {
			if errors.Is(err, errEmptyContent) {
				return refuse("", "message at position "+strconv.Itoa(i+1)+" does not match expected array format")
			}
			return within(index("", i), err)
		}
	}
	return nil
}

// errEmptyContent refuses an empty array as content, which is neither text nor null.
var errEmptyContent = &chat.RequestError{Field: "content", Message: "is an empty array"}

func (h *history) parseMessage(m *chat.Message, v *jsonedit.Value, i int) error {
	o, err := objectOf(v)
	if err != nil {
		return err
	}
	role, _ := stringAt(o, "role")
	m.Name, _ = stringAt(o, "name")
	switch role {
	case "system", "developer":
		m.Role = chat.System
	case "user":
		m.Role = chat.User
	case "assistant":
		m.Role = chat.Assistant
		if err := parseThinking(m, o); err != nil {
			return err
		}
	case "tool", "function":
		m.Role = chat.ToolRole
		m.Name = ""
		return h.parseToolResult(m, o, role)
	case "":
		return refuse("role", "is missing")
	default:
		return refuse("role", "must be system, developer, user, assistant or tool")
	}
	// An empty list is refused where it would be all that the user says. An assistant
	// that only calls tools, and a tool without output, say nothing as well.
	if m.Parts, err = parseContent(m.Parts, o.Get("content")); err != nil && (m.Role == chat.User || !errors.Is(err, errEmptyContent)) {
		return err
	}
	if m.Role != chat.Assistant {
		return nil
	}
	if text, _ := textAt(o, "refusal"); !text.Empty() {
		m.Parts = append(m.Parts, chat.Part{Kind: chat.Refusal, Text: text})
	}
	return h.parseCalls(m, o, i)
}

// parseThinking reads the members for thinking (see the package's comment).
func parseThinking(m *chat.Message, o *jsonedit.Value) error {
	blocks := o.Get("thinking_blocks")
	if blocks == nil || blocks.Type() == jsonedit.TypeNull || len(blocks.GetArray()) == 0 {
		for _, name := range [...]string{"reasoning_content", "reasoning"} {
			if text, _ := textAt(o, name); !text.Empty() {
				m.Parts = append(m.Parts, chat.Part{Kind: chat.Thinking, Text: text})
				return nil
			}
		}
		return nil
	}
	for i, v := range blocks.GetArray() {
		b, err := objectOf(v)
		if err != nil {
			return within(index("thinking_blocks", i), err)
		}
		typ, _ := stringAt(b, "type")
		part := chat.Part{Kind: chat.Thinking}
		switch typ {
		case "thinking":
			part.Text, _ = textAt(b, "thinking")
			token, _ := stringAt(b, "signature")
			part.Sign(token, origin.Anthropic)
		case "redacted_thinking":
			part.Kind = chat.RedactedThinking
			token, _ := stringAt(b, "data")
			part.Sign(token, origin.Anthropic)
		default:
			return refuse(index("thinking_blocks", i)+".type", "must be thinking or redacted_thinking")
		}
		m.Parts = append(m.Parts, part)
	}
	return nil
}

func (h *history) parseCalls(m *chat.Message, o *jsonedit.Value, i int) error {
	if v := o.Get("tool_calls"); v != nil && v.Type() != jsonedit.TypeNull {
		list, err := arrayOf(v)
		if err != nil {
			return within("tool_calls", err)
		}
		for j, v := range list {
			part, err := parseCall(v)
			if err != nil {
				return within(index("tool_calls", j), err)
			}
			h.called(part.ID, part.Name)
			chat.TakeRuns(&m.Parts, &part)
			m.Parts = append(m.Parts, part)
		}
	}
	v := o.Get("function_call")
	if v == nil || v.Type() == jsonedit.TypeNull {
		return nil
	}
	part := chat.Part{Kind: chat.ToolCall, ID: "call_" + strconv.Itoa(i)}
	if err := setFunction(&part, v); err != nil {
		return within("function_call", err)
	}
	if h.legacy == nil {
		h.legacy = map[string]string{}
	}
	h.legacy[part.Name] = part.ID
	h.called(part.ID, part.Name)
	m.Parts = append(m.Parts, part)
	return nil
}

func (h *history) called(id, name string) {
	if h.names == nil {
		h.names = map[string]string{}
	}
	h.names[id] = name
}

func parseCall(v *jsonedit.Value) (chat.Part, error) {
	part := chat.Part{Kind: chat.ToolCall}
	o, err := objectOf(v)
	if err != nil {
		return part, err
	}
	part.ID, _ = stringAt(o, "id")
	part.Sign(string(v.GetStringBytes("extra_content", "google", "thought_signature")), origin.Google)
	switch typ, ok := stringAt(o, "type"); {
	case typ == customTool:
		if part.Name = string(v.GetStringBytes("custom", "name")); part.Name == "" {
			return part, refuse("custom.name", "is missing")
		}
		part.Arguments = inputArguments(v.GetText("custom", "input"))
		return part, nil
	case ok && typ != "function":
		return part, refuse("type", "must be function or custom: nothing else can be translated")
	}
	return part, within("function", setFunction(&part, orNull(o.Get("function"))))
}

func setFunction(part *chat.Part, v *jsonedit.Value) error {
	o, err := objectOf(v)
	if err != nil {
		return err
	}
	if part.Name, _ = stringAt(o, "name"); part.Name == "" {
		return refuse("name", "is missing")
	}
	arguments := orNull(o.Get("arguments"))
	switch arguments.Type() {
	case jsonedit.TypeString:
		part.Arguments = arguments.GetText()
	case jsonedit.TypeObject: // not in OpenAI's API, but some clients send objects
		part.Arguments = jsonedit.PlainBytes(jsonedit.AppendValue(nil, arguments))
	case jsonedit.TypeNull:
	default:
		return refuse("arguments", "must be a string")
	}
	return nil
}

func (h *history) parseToolResult(m *chat.Message, o *jsonedit.Value, role string) error {
	result := chat.Part{Kind: chat.ToolResult}
	if role == "function" {
		result.Name, _ = stringAt(o, "name")
		result.ID = h.legacy[result.Name]
	} else {
		var ok bool
		if result.ID, ok = stringAt(o, "tool_call_id"); !ok {
			return refuse("tool_call_id", "is missing")
		}
		if result.Name = h.names[result.ID]; result.Name == "" {
			result.Name, _ = stringAt(o, "name")
		}
	}
	content := o.Get("content")
	var err error
	switch orNull(content).Type() {
	case jsonedit.TypeObject, jsonedit.TypeNumber, jsonedit.TypeTrue, jsonedit.TypeFalse:
		// A result that was not stringified is its JSON text.
		result.Parts = []chat.Part{{Kind: chat.Text, Text: jsonedit.PlainBytes(jsonedit.AppendValue(nil, content))}}
	default:
		if result.Parts, err = parseContent(nil, content); errors.Is(err, errEmptyContent) {
			err = nil // a tool without output
		}
	}
	m.Parts = []chat.Part{result}
	return err
}

// parseContent appends the parts of a message's content, which is a string, parts, or
// null.
func parseContent(parts []chat.Part, v *jsonedit.Value) ([]chat.Part, error) {
	v = orNull(v)
	switch v.Type() {
	case jsonedit.TypeNull:
		return parts, nil
	case jsonedit.TypeString:
		return append(parts, chat.Part{Kind: chat.Text, Text: v.GetText()}), nil
	case jsonedit.TypeArray:
	default:
		return nil, refuse("content", "must be a string or an array of parts")
	}
	list := v.GetArray()
	if len(list) == 0 {
		return parts, errEmptyContent
	}
	if parts == nil {
		parts = make([]chat.Part, 0, len(list))
	}
	for i, v := range list {
		part, err := parsePart(v)
		if err != nil {
			return nil, within(index("content", i), err)
		}
		parts = append(parts, part)
	}
	return parts, nil
}

func parsePart(v *jsonedit.Value) (chat.Part, error) {
	var part chat.Part
	o, err := objectOf(v)
	if err != nil {
		return part, err
	}
	if c := orNull(o.Get("cache_control")); c.Type() != jsonedit.TypeNull {
		if err := setRaw(&part.CacheControl, c); err != nil {
			return part, within("cache_control", err)
		}
	}
	typ, _ := stringAt(o, "type")
	switch typ {
	case "text", "input_text", "output_text": // the last two are the API of responses'
		text, ok := textAt(o, "text")
		if !ok {
			return part, refuse("", "message part type is 'text' but is missing .text block")
		}
		part.Kind, part.Text = chat.Text, text
	case "refusal":
		part.Kind = chat.Refusal
		part.Text, _ = textAt(o, "refusal")
	case "image_url", "video_url", "input_image":
		part.Kind = chat.Image
		switch typ {
		case "video_url": // vLLM and DashScope
			part.Kind = chat.Video
		case "input_image":
			typ = "image_url"
		}
		return part, within("", parseURL(&part, v, typ))
	case "image": // Anthropic's
		if data := v.GetText("source", "data"); !data.Empty() {
			part.Kind = chat.Image
			part.Media = &chat.Media{MIME: string(v.GetStringBytes("source", "media_type")), Data: data}
			return part, nil
		}
		part.Kind, part.Type = chat.Opaque, typ
		return part, setRaw(&part.Raw, v)
	case "input_file":
		part.Kind = chat.File
		return part, within("", parseFile(&part, v))
	case "input_audio":
		part.Kind = chat.Audio
		return part, within("input_audio", parseAudio(&part, orNull(o.Get("input_audio"))))
	case "file":
		part.Kind = chat.File
		return part, within("file", parseFile(&part, orNull(o.Get("file"))))
	default:
		part.Kind, part.Type = chat.Opaque, typ
		return part, setRaw(&part.Raw, v)
	}
	return part, nil
}

// parseURL reads image_url or video_url: {"url":…,"detail":…}, or just the URL, which
// some clients send.
func parseURL(part *chat.Part, v *jsonedit.Value, name string) error {
	url := v.GetText(name)
	if url.Empty() {
		url = v.GetText(name, "url")
	}
	if url.Empty() {
		return refuse("", "message part type is '"+name+"' but is missing ."+name+".url block")
	}
	part.Media = &chat.Media{Detail: string(v.GetStringBytes(name, "detail"))}
	return within(name, setURL(part.Media, url))
}

// setURL sets the media from a URL. If it is a data URI (RFC 2397), the data is
// extracted.
func setURL(m *chat.Media, url jsonedit.Text) error {
	if !url.HasPrefix("data:") {
		m.URL = url.String()
		return nil
	}
	head, data, ok := url.Cut(',')
	head, isBase64 := strings.CutSuffix(head, ";base64")
	if !ok || !isBase64 {
		return refuse("url", "a data URI must be base64: data:<type>;base64,<data>")
	}
	m.MIME, _, _ = strings.Cut(strings.TrimPrefix(head, "data:"), ";")
	m.Data = data
	return nil
}

func parseAudio(part *chat.Part, v *jsonedit.Value) error {
	data, format := v.GetText("data"), string(v.GetStringBytes("format"))
	if data.Empty() {
		return refuse("data", "is missing")
	}
	if format == "mp3" {
		format = "mpeg"
	}
	part.Media = &chat.Media{Data: data}
	if format != "" {
		part.Media.MIME = "audio/" + format
	}
	return nil
}

// parseFile reads {"file_data","filename"} or {"file_id"}. The data is a data URI;
// base64 alone is accepted, too.
func parseFile(part *chat.Part, v *jsonedit.Value) error {
	m := &chat.Media{FileID: string(v.GetStringBytes("file_id")), Filename: string(v.GetStringBytes("filename"))}
	part.Media = m
	data := v.GetText("file_data")
	switch {
	case data.HasPrefix("data:"):
		if err := setURL(m, data); err != nil {
			return of("file_data", err)
		}
	case !data.Empty():
		m.Data = data
		if strings.HasSuffix(strings.ToLower(m.Filename), ".pdf") {
			m.MIME = "application/pdf"
		}
	case m.FileID == "":
		return refuse("", "needs file_data or file_id")
	}
	return nil
}
