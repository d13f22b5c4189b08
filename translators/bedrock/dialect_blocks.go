package bedrock

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

// within adds the place of a content block to the field of an error.
func within(err error, format string, args ...any) error {
	var e *chat.RequestError
	if errors.As(err, &e) {
		field := fmt.Sprintf(format, args...)
		if e.Field != "" {
			field += "." + e.Field
		}
		return &chat.RequestError{Field: field, Message: e.Message}
	}
	return err
}

// appendPart reads a client's content block into m. The block is a union; its first
// member is used.
func appendPart(m *chat.Message, b *jsonedit.Value) error {
	o, err := b.Object()
	if err != nil || o.Len() == 0 {
		return &chat.RequestError{Message: "must be a content block"}
	}
	part, found := chat.Part{}, false
	o.Visit(func(key []byte, v *jsonedit.Value) {
		if found || v.Type() == jsonedit.TypeNull || err != nil {
			return
		}
		if string(key) == "cachePoint" {
			if n := len(m.Parts); n > 0 {
				m.Parts[n-1].CacheControl = cacheControl(v)
			}
			return
		}
		part, err = parsePart(string(key), v)
		found = err == nil
	})
	if err != nil {
		return err
	}
	switch {
	case !found, part.Kind == chat.RedactedThinking && chat.TakeRun(&m.Parts, &part), part.Kind == chat.HostedRun && chat.Tell(&m.Parts, &part):
	default:
		chat.TakeCallToken(&m.Parts, &part)
		m.Parts = append(m.Parts, part)
	}
	return nil
}

// cacheControl returns a cache point as Anthropic's cache_control.
func cacheControl(point *jsonedit.Value) chat.Raw {
	if ttl := point.GetString("ttl"); ttl == "5m" || ttl == "1h" {
		return chat.Raw(`{"type":"ephemeral","ttl":"` + ttl + `"}`)
	}
	return chat.Raw(`{"type":"ephemeral"}`)
}

func parsePart(name string, v *jsonedit.Value) (chat.Part, error) {
	switch name {
	case "text":
		if v.Type() != jsonedit.TypeString {
			return chat.Part{}, &chat.RequestError{Field: "text", Message: "must be a string"}
		}
		return chat.Part{Kind: chat.Text, Text: v.GetText()}, nil
	case "image", "document", "video", "audio":
		return parseMedia(name, v)
	case "toolUse":
		if v.GetString("type") == serverToolUse {
			return toldOf(name, v), nil
		}
		arguments := rawOf(v.Get("input"))
		if arguments == nil {
			arguments = chat.Raw("{}")
		}
		p := chat.Part{Kind: chat.ToolCall, ID: v.GetString("toolUseId"), Name: v.GetString("name"), Arguments: jsonedit.PlainBytes(arguments)}
		if p.ID == "" || p.Name == "" {
			return p, &chat.RequestError{Field: "toolUse", Message: "must have toolUseId and name"}
		}
		return p, nil
	case "toolResult":
		if v.GetString("type") != "" {
			return toldOf(name, v), nil
		}
		return parseResult(v)
	case "reasoningContent":
		if data := v.GetString("redactedContent"); data != "" {
			p := chat.Part{Kind: chat.RedactedThinking}
			p.Sign(unblob(data), origin.Anthropic)
			return p, nil
		}
		p := chat.Part{Kind: chat.Thinking, Text: v.GetText("reasoningText", "text")}
		p.Sign(v.GetString("reasoningText", "signature"), origin.Anthropic)
		return p, nil
	case "citationsContent":
		return chat.Part{Kind: chat.Text, Text: jsonedit.Plain(textsOf(v.GetArray("content")))}, nil
	case "guardContent": // both the guardrail and the model read it
		if image := v.Get("image"); image != nil {
			return parseMedia("image", image)
		}
		return chat.Part{Kind: chat.Text, Text: v.GetText("text", "text")}, nil
	}
	whole := append(jsonedit.AppendString([]byte(`{"type":`), name), ',')
	whole = append(jsonedit.AppendString(whole, name), ':')
	return chat.Part{Kind: chat.Opaque, Type: name, Raw: append(jsonedit.AppendValue(whole, v), '}')}, nil
}

// parseResult reads the result of a call. A json block is read as its text.
func parseResult(v *jsonedit.Value) (chat.Part, error) {
	p := chat.Part{Kind: chat.ToolResult, ID: v.GetString("toolUseId"), IsError: v.GetString("status") == "error"}
	if p.ID == "" {
		return p, &chat.RequestError{Field: "toolResult.toolUseId", Message: "is missing"}
	}
	inner := chat.Message{}
	for i, b := range v.GetArray("content") {
		if value := b.Get("json"); value != nil {
			inner.Parts = append(inner.Parts, chat.Part{Kind: chat.Text, Text: jsonedit.PlainBytes(jsonedit.AppendValue(nil, value))})
			continue
		}
		if err := appendPart(&inner, b); err != nil {
			return p, within(err, "toolResult.content[%d]", i)
		}
	}
	p.Parts = inner.Parts
	return p, nil
}

// mediaTypes holds the media types that do not end with the format's name.
var mediaTypes = map[string]string{
	"doc": "application/msword", "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"xls": "application/vnd.ms-excel", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	"pdf": "application/pdf", "csv": "text/csv", "html": "text/html", "txt": "text/plain", "md": "text/markdown",
	"mov": "video/quicktime", "mkv": "video/x-matroska", "flv": "video/x-flv", "wmv": "video/x-ms-wmv", "three_gp": "video/3gpp", "mpg": "video/mpeg",
	"mp3": "audio/mpeg",
}

func parseMedia(name string, v *jsonedit.Value) (chat.Part, error) {
	p := chat.Part{Kind: chat.Image, Media: &chat.Media{}}
	for kind, m := range mediaKinds {
		if m.name == name {
			p.Kind = kind
		}
	}
	m := p.Media
	format := v.GetString("format")
	m.MIME = mediaTypes[format]
	if m.MIME == "" && format != "" {
		m.MIME = name + "/" + format
	}
	if p.Kind == chat.File && v.GetString("name") != "" {
		if m.Filename = v.GetString("name"); format != "" {
			m.Filename += "." + format
		}
	}
	m.Context, m.Cite = v.GetString("context"), v.GetBool("citations", "enabled")
	source := v.Get("source")
	m.Data, m.URL = source.GetText("bytes"), source.GetString("s3Location", "uri")
	said := source.GetString("text") + textsOf(source.GetArray("content"))
	if said != "" {
		m.Data = jsonedit.Plain(base64.StdEncoding.EncodeToString([]byte(said)))
		if !strings.HasPrefix(m.MIME, "text/") {
			m.MIME = "text/plain"
		}
	}
	if m.Data.Empty() && m.URL == "" {
		return p, &chat.RequestError{Field: name + ".source", Message: "is missing"}
	}
	return p, nil
}
