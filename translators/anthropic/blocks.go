package anthropic

import (
	"encoding/base64"
	"fmt"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// appendTurn writes a message: with a string as content if it is only one block of
// text, otherwise with blocks.
func appendTurn(dst []byte, t *chat.Turn, last bool) ([]byte, error) {
	dst = append(dst, `{"role":"`...)
	dst = append(dst, t.Role...)
	dst = append(dst, `","content":`...)
	first := t.Blocks[0].Part
	if len(t.Blocks) == 1 && first.Kind == chat.Text && first.CacheControl == nil {
		dst = prefill(t, first, last).Append(dst)
		return append(dst, '}'), nil
	}
	dst = append(dst, '[')
	for i := range t.Blocks {
		mark := len(dst)
		dst = jsonedit.AppendComma(dst)
		start := len(dst)
		b := &t.Blocks[i]
		if i == len(t.Blocks)-1 && b.Part.Kind == chat.Text {
			dst = appendTextBlock(dst, prefill(t, b.Part, last), b.Part.CacheControl)
			continue
		}
		var err error
		if dst, err = appendBlock(dst, b); err != nil {
			return nil, err
		}
		if len(dst) == start {
			dst = dst[:mark]
		}
	}
	return append(dst, ']', '}'), nil
}

// prefill returns the text of a turn's last part. If the turn is the last one and the
// model's, it is trimmed, since an answer that the model is to continue may not end
// in white space.
func prefill(t *chat.Turn, p *chat.Part, last bool) jsonedit.Text {
	if last && t.Role == chat.Assistant {
		return jsonedit.Plain(strings.TrimRight(p.Text.String(), " \t\r\n"))
	}
	return p.Text
}

func appendTextBlock(dst []byte, text jsonedit.Text, cache chat.Raw) []byte {
	dst = append(dst, `{"type":"text","text":`...)
	dst = text.Append(dst)
	return append(appendCacheControl(dst, cache), '}')
}

func appendBlock(dst []byte, b *chat.Block) ([]byte, error) {
	p := b.Part
	switch p.Kind {
	case chat.Text, chat.Refusal:
		return appendTextBlock(dst, p.Text, p.CacheControl), nil
	case chat.Thinking:
		dst = append(dst, `{"type":"thinking","thinking":`...)
		dst = p.Text.Append(dst)
		return append(jsonedit.AppendText(dst, "signature", p.Signature), '}'), nil
	case chat.RedactedThinking:
		dst = append(dst, `{"type":"redacted_thinking","data":`...)
		return append(p.Text.Append(dst), '}'), nil
	case chat.ToolCall:
		return appendToolUse(dst, b)
	case chat.ToolResult:
		return appendToolResult(dst, b)
	case chat.Image, chat.File:
		return appendMedia(dst, p, chat.PartField(b.Message, b.Index))
	case chat.HostedRun:
		return appendRun(dst, p.Signature), nil
	case chat.Opaque:
		if (messages{}).Takes(p) {
			return append(dst, p.Raw...), nil
		}
	}
	return nil, &chat.RequestError{Field: chat.PartField(b.Message, b.Index),
		Message: fmt.Sprintf("Claude takes text, images and documents, not %s", kindName(p))}
}

// Takes reports whether a block that the internal form does not know is one of the API's.
func (messages) Takes(p *chat.Part) bool { return blockTypes[p.Type] && len(p.Raw) > 0 }

func kindName(p *chat.Part) string {
	switch p.Kind {
	case chat.Audio:
		return "audio"
	case chat.Video:
		return "video"
	}
	return fmt.Sprintf("%q", p.Type)
}

// blockTypes lists the blocks of the API that the internal form has no part for. A
// client of Anthropic's dialect gets them back unchanged.
var blockTypes = map[string]bool{
	"search_result": true, "server_tool_use": true, "web_search_tool_result": true, "web_fetch_tool_result": true,
	"advisor_tool_result": true, "code_execution_tool_result": true, "bash_code_execution_tool_result": true,
	"text_editor_code_execution_tool_result": true, "tool_search_tool_result": true, "tool_reference": true,
	"mcp_tool_use": true, "mcp_tool_result": true, "mcp_tool_listing": true, "container_upload": true,
	"compaction": true, "tool_addition": true, "tool_removal": true, "fallback": true, "document": true,
}

// appendToolUse writes a call. OpenAI has arguments as text, which may be invalid
// because a model wrote it; Anthropic's input is an object.
func appendToolUse(dst []byte, b *chat.Block) ([]byte, error) {
	dst = append(dst, `{"type":"tool_use","id":`...)
	dst = jsonedit.AppendString(dst, b.ID)
	dst = jsonedit.AppendText(dst, "name", b.Part.Name)
	dst, ok := b.Part.Arguments.AppendObject(append(dst, `,"input":`...))
	if !ok {
		return nil, &chat.RequestError{
			Field:   fmt.Sprintf("messages[%d].tool_calls[%d].function.arguments", b.Message, b.Index),
			Message: "must be the text of a JSON object",
		}
	}
	return append(appendCacheControl(dst, b.Part.CacheControl), '}'), nil
}

func appendToolResult(dst []byte, b *chat.Block) ([]byte, error) {
	dst = append(dst, `{"type":"tool_result","tool_use_id":`...)
	dst = jsonedit.AppendString(dst, b.ID)
	parts := make([]*chat.Part, 0, 4)
	for i := range b.Part.Parts {
		if p := &b.Part.Parts[i]; !p.Unsayable() {
			parts = append(parts, p)
		}
	}
	switch {
	case len(parts) == 0: // content is optional, but empty text is refused
	case len(parts) == 1 && parts[0].Kind == chat.Text && parts[0].CacheControl == nil:
		dst = parts[0].Text.AppendMember(dst, "content")
	default:
		dst = append(dst, `,"content":[`...)
		for _, p := range parts {
			dst = jsonedit.AppendComma(dst)
			var err error
			if dst, err = appendBlock(dst, &chat.Block{Part: p, Message: b.Message, Index: b.Index}); err != nil {
				return nil, err
			}
		}
		dst = append(dst, ']')
	}
	if b.Part.IsError {
		dst = append(dst, `,"is_error":true`...)
	}
	return append(appendCacheControl(dst, b.Part.CacheControl), '}'), nil
}

// appendMedia writes an image or a document.
// https://platform.claude.com/docs/en/build-with-claude/vision and /pdf-support
func appendMedia(dst []byte, p *chat.Part, field string) ([]byte, error) {
	m := p.Media
	if m == nil {
		return nil, &chat.RequestError{Field: field, Message: "has no data, URL or file id"}
	}
	mime, _, _ := strings.Cut(m.Type(), ";")
	image := p.Kind == chat.Image || strings.HasPrefix(mime, "image/")
	if image {
		dst = append(dst, `{"type":"image","source":`...)
	} else {
		dst = append(dst, `{"type":"document","source":`...)
	}
	switch {
	case m.FileID != "":
		dst = append(dst, `{"type":"file","file_id":`...)
		dst = jsonedit.AppendString(dst, m.FileID)
	case !m.Data.Empty() && (image && strings.HasPrefix(mime, "image/") || isPDF(m)):
		if !image {
			mime = "application/pdf"
		}
		dst = append(dst, `{"type":"base64","media_type":`...)
		dst = jsonedit.AppendString(dst, mime)
		dst = m.Data.AppendMember(dst, "data")
	case !m.Data.Empty() && !image && isText(mime):
		plain, err := base64.StdEncoding.DecodeString(m.Data.String())
		if err != nil {
			return nil, &chat.RequestError{Field: field, Message: "its data is not base64"}
		}
		dst = append(dst, `{"type":"text","media_type":"text/plain","data":`...)
		dst = jsonedit.AppendBytes(dst, plain)
	case !m.Data.Empty():
		return nil, &chat.RequestError{Field: field,
			Message: fmt.Sprintf("Claude takes images, PDFs and text, not media type %q", m.MIME)}
	case strings.HasPrefix(m.URL, "https://"), strings.HasPrefix(m.URL, "http://"):
		dst = append(dst, `{"type":"url","url":`...)
		dst = jsonedit.AppendString(dst, m.URL)
	default:
		return nil, &chat.RequestError{Field: field, Message: "needs base64 data, an http(s) URL or a file id"}
	}
	dst = append(dst, '}')
	if !image {
		dst = jsonedit.AppendOptional(dst, "title", m.Filename)
		dst = jsonedit.AppendOptional(dst, "context", m.Context)
		if m.Cite {
			dst = append(dst, `,"citations":{"enabled":true}`...)
		}
	}
	return append(appendCacheControl(dst, p.CacheControl), '}'), nil
}

func isPDF(m *chat.Media) bool {
	return strings.HasPrefix(m.MIME, "application/pdf") ||
		m.MIME == "" && (strings.HasSuffix(strings.ToLower(m.Filename), ".pdf") || m.Data.HasPrefix("JVBERi")) // "%PDF-"
}

func isText(mime string) bool {
	return strings.HasPrefix(mime, "text/") || mime == "application/json" || mime == "application/xml"
}
