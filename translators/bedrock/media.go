package bedrock

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// mediaKind is a kind of content block for media.
type mediaKind struct {
	name    string   // the block
	field   string   // the member of OpenAI's part, for messages
	formats []string // format
}

// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ImageBlock.html
// and the pages of the other blocks.
var mediaKinds = map[chat.PartKind]mediaKind{
	chat.Image: {"image", "image_url", []string{"png", "jpeg", "gif", "webp"}},
	chat.Video: {"video", "video_url", []string{"mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp"}},
	chat.File:  {"document", "file", []string{"pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"}},
	chat.Audio: {"audio", "input_audio", []string{
		"mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a", "mpeg", "mpga", "pcm", "webm"}},
}

// formatNames holds the formats whose name differs from the end of the media type or
// of the file's name.
var formatNames = map[string]string{
	"jpg": "jpeg", "pjpeg": "jpeg", "x-png": "png",
	"quicktime": "mov", "x-matroska": "mkv", "matroska": "mkv", "x-flv": "flv", "x-ms-wmv": "wmv", "3gpp": "three_gp", "3gp": "three_gp",
	"msword": "doc", "vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
	"vnd.ms-excel": "xls", "vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
	"htm": "html", "xhtml+xml": "html", "markdown": "md", "x-markdown": "md",
	"plain": "txt", "text": "txt", "json": "txt", "xml": "txt", "yaml": "txt", "x-yaml": "txt", "javascript": "txt",
	"x-wav": "wav", "wave": "wav", "x-m4a": "m4a", "x-flac": "flac", "l16": "pcm",
}

// appendMedia writes an image, a document, a video or a sound. Converse accepts bytes
// or an object in S3; it does not fetch URLs.
func (q *query) appendMedia(dst []byte, p *chat.Part, b *chat.Block) ([]byte, error) {
	kind, m := kindOf(p), p.Media
	field := chat.PartField(b.Message, b.Index) + "." + mediaKinds[p.Kind].field
	if m == nil || m.Data.Empty() && m.URL == "" {
		return nil, &chat.RequestError{Field: field, Message: "Bedrock keeps no uploaded files: send the data itself, or an s3:// URL"}
	}
	if m.Data.Empty() && !strings.HasPrefix(m.URL, "s3://") {
		return nil, &chat.RequestError{Field: field, Message: "Bedrock fetches nothing from the web: send a data URI, or an s3:// URL"}
	}
	format := formatOf(kind, m)
	if format == "" {
		return nil, &chat.RequestError{Field: field, Message: fmt.Sprintf("media type %q is none of %s",
			m.MIME, strings.Join(mediaKinds[kind].formats, ", "))}
	}
	dst = append(jsonedit.AppendName(append(jsonedit.AppendComma(dst), '{'), mediaKinds[kind].name), '{')
	dst = jsonedit.AppendText(dst, "format", format)
	if kind == chat.File {
		dst = jsonedit.AppendText(dst, "name", q.documentName(m))
	}
	dst = append(jsonedit.AppendName(dst, "source"), '{')
	if !m.Data.Empty() {
		dst = m.Data.AppendMember(dst, "bytes")
	} else {
		dst = append(jsonedit.AppendText(append(jsonedit.AppendName(dst, "s3Location"), '{'), "uri", m.URL), '}')
	}
	dst = append(dst, '}')
	if kind == chat.File {
		dst = jsonedit.AppendOptional(dst, "context", m.Context)
		if m.Cite && q.model.claude {
			dst = append(dst, `,"citations":{"enabled":true}`...)
		}
	}
	return append(dst, "}}"...), nil
}

// kindOf returns the kind of block for p. A file may be an image.
func kindOf(p *chat.Part) chat.PartKind {
	if p.Kind == chat.File && p.Media != nil {
		switch main, _, _ := strings.Cut(p.Media.Type(), "/"); main {
		case "image":
			return chat.Image
		case "video":
			return chat.Video
		case "audio":
			return chat.Audio
		}
	}
	return p.Kind
}

// formatOf returns the format by the media type, by the file's name, or for images by
// the start of their base64. It is "" for a format that Converse does not accept.
func formatOf(kind chat.PartKind, m *chat.Media) string {
	formats := mediaKinds[kind].formats
	mime, _, _ := strings.Cut(m.Type(), ";")
	main, sub, _ := strings.Cut(strings.TrimSpace(mime), "/")
	for _, name := range []string{sub, strings.TrimPrefix(path.Ext(m.Filename), "."), strings.TrimPrefix(path.Ext(m.URL), ".")} {
		name = strings.ToLower(name)
		if known, ok := formatNames[name]; ok {
			name = known
		}
		if kind == chat.Audio && name == "mpeg" {
			name = "mp3"
		}
		if slices.Contains(formats, name) {
			return name
		}
	}
	switch {
	case kind == chat.File && main == "text":
		return "txt"
	case mime != "":
		return ""
	}
	for _, s := range []struct {
		kind           chat.PartKind
		prefix, format string
	}{
		{chat.Image, "iVBORw0KGgo", "png"}, {chat.Image, "/9j/", "jpeg"}, {chat.Image, "R0lGOD", "gif"},
		{chat.Image, "UklGR", "webp"}, {chat.File, "JVBERi", "pdf"},
	} {
		if s.kind == kind && m.Data.HasPrefix(s.prefix) {
			return s.format
		}
	}
	return ""
}

// documentName returns the file's name in the form that Converse requires: letters,
// digits, hyphens, brackets and single spaces, and unique in a request.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html
func (q *query) documentName(m *chat.Media) string {
	name := m.Filename
	if name == "" && m.URL != "" {
		name = path.Base(m.URL)
	}
	name = strings.TrimSuffix(name, path.Ext(name))
	name = strings.Map(func(c rune) rune {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("-()[]", c) {
			return c
		}
		return ' '
	}, name)
	const longest = 180 // of 200, with room for a number
	name = strings.Join(strings.Fields(name[:min(len(name), longest)]), " ")
	if name == "" {
		name = "document"
	}
	if q.names == nil {
		q.names = map[string]int{}
	}
	q.names[name]++
	if n := q.names[name]; n > 1 {
		return name + " (" + strconv.Itoa(n) + ")"
	}
	return name
}
