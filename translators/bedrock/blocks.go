package bedrock

import (
	"fmt"
	"slices"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// appendMessages writes the turns.
func (q *query) appendMessages(dst []byte) ([]byte, error) {
	if len(q.turns) == 0 {
		return dst, nil
	}
	dst = append(jsonedit.AppendName(dst, "messages"), '[')
	for i := range q.turns {
		t := &q.turns[i]
		dst = jsonedit.AppendText(append(jsonedit.AppendComma(dst), '{'), "role", string(t.Role))
		dst = append(jsonedit.AppendName(dst, "content"), '[')
		said, document := false, false
		for j := range t.Blocks {
			b := &t.Blocks[j]
			last := i == len(q.turns)-1 && j == len(t.Blocks)-1
			var err error
			if dst, err = q.appendBlock(dst, b, last && t.Role == chat.Assistant); err != nil {
				return nil, err
			}
			said = said || b.Part.Kind == chat.Text
			document = document || kindOf(b.Part) == chat.File
		}
		if document && !said { // a document is refused without text in the same message
			dst = append(chat.Opening.Text.AppendMember(append(jsonedit.AppendComma(dst), '{'), "text"), '}')
		}
		dst = append(dst, ']', '}')
	}
	return append(dst, ']'), nil
}

// appendBlock writes a part as a content block, followed by a cache point if the
// client set one. An answer that the model is to continue (prefill) may not end in
// white space.
func (q *query) appendBlock(dst []byte, b *chat.Block, prefill bool) ([]byte, error) {
	p := b.Part
	var err error
	switch p.Kind {
	case chat.Text, chat.Refusal:
		s := p.Text
		if prefill {
			s = jsonedit.Plain(strings.TrimRight(s.String(), " \t\r\n"))
		}
		dst = append(s.AppendMember(append(jsonedit.AppendComma(dst), '{'), "text"), '}')
	case chat.Thinking:
		dst = p.Text.AppendMember(append(jsonedit.AppendComma(dst), `{"reasoningContent":{"reasoningText":{`...), "text")
		dst = append(jsonedit.AppendText(dst, "signature", p.Signature), "}}}"...)
	case chat.RedactedThinking:
		dst = append(p.Text.AppendMember(append(jsonedit.AppendComma(dst), `{"reasoningContent":{`...), "redactedContent"), "}}"...)
	case chat.ToolCall:
		dst, err = appendToolUse(dst, b)
	case chat.ToolResult:
		return q.appendToolResult(dst, b)
	case chat.Image, chat.Audio, chat.File, chat.Video:
		dst, err = q.appendMedia(dst, p, b)
	case chat.HostedRun:
		return appendRun(dst, p.Signature), nil
	default:
		dst, err = appendOpaque(dst, b)
	}
	if err != nil {
		return nil, err
	}
	return q.appendCachePoint(dst, p.CacheControl), nil
}

// appendCachePoint writes a cache point for Anthropic's cache_control: everything
// before it is cached.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CachePointBlock.html
func (q *query) appendCachePoint(dst []byte, control chat.Raw) []byte {
	if control == nil || !q.model.caches {
		return dst
	}
	dst = append(jsonedit.AppendComma(dst), `{"cachePoint":{"type":"default"`...)
	ttl, _ := jsonedit.String(jsonedit.Lookup(control, "ttl"))
	if (ttl == "5m" || ttl == "1h" && !isMinutely(q.Model)) && !q.model.nova {
		dst = jsonedit.AppendText(dst, "ttl", ttl)
	}
	return append(dst, '}', '}')
}

// appendToolUse writes a call. OpenAI has arguments as text; Converse's input is an
// object.
func appendToolUse(dst []byte, b *chat.Block) ([]byte, error) {
	dst = jsonedit.AppendText(append(jsonedit.AppendComma(dst), `{"toolUse":{`...), "toolUseId", b.ID)
	dst, ok := b.Part.Arguments.AppendObject(jsonedit.AppendName(jsonedit.AppendText(dst, "name", b.Part.Name), "input"))
	if !ok {
		return nil, &chat.RequestError{Message: "failed to decode function response arguments from assistant's message, not JSON format"}
	}
	return append(dst, "}}"...), nil
}

// appendToolResult writes a result: JSON text as json (in a member "result" if it is
// not an object), other text as text. An empty result becomes an empty object, since
// blank text is refused.
func (q *query) appendToolResult(dst []byte, b *chat.Block) ([]byte, error) {
	p := b.Part
	dst = jsonedit.AppendText(append(jsonedit.AppendComma(dst), `{"toolResult":{`...), "toolUseId", b.ID)
	dst = append(jsonedit.AppendName(dst, "content"), '[')
	start := len(dst)
	cache := p.CacheControl
	for i := range p.Parts {
		if c := p.Parts[i].CacheControl; c != nil {
			cache = c
		}
	}
	var err error
	if said, ok := jsonOf(p.Parts); ok {
		dst = appendJSONResult(dst, said)
	} else if dst, err = q.appendResultParts(dst, b); err != nil {
		return nil, err
	}
	if len(dst) == start {
		dst = append(dst, `{"json":{}}`...)
	}
	dst = append(dst, ']')
	if p.IsError { // older models accept no status
		dst = jsonedit.AppendText(dst, "status", "error")
	}
	dst = append(dst, '}', '}')
	if q.model.nova { // "extraneous key [cachePoint]" behind a result
		return dst, nil
	}
	return q.appendCachePoint(dst, cache), nil
}

// jsonOf returns the text of all parts if together they are JSON, and whether they
// are. For most other texts the first bytes are enough to tell.
func jsonOf(parts []chat.Part) (string, bool) {
	var all []byte
	for i := range parts {
		start := parts[i].Text.Start()
		if parts[i].Kind != chat.Text || len(all) == 0 && start != 0 && strings.IndexByte(`{["-0123456789tfn`, start) < 0 {
			return "", false
		}
		all = parts[i].Text.AppendDecoded(all)
	}
	said := strings.Trim(string(all), " \t\r\n")
	return said, jsonedit.ValidString(said) == nil
}

// appendJSONResult writes valid JSON as an object, since Converse's json is one.
func appendJSONResult(dst []byte, value string) []byte {
	if value[0] == '{' {
		return append(jsonedit.AppendRaw(append(dst, '{'), "json", value), '}')
	}
	return append(jsonedit.AppendRaw(append(dst, `{"json":{`...), "result", value), "}}"...)
}

func (q *query) appendResultParts(dst []byte, b *chat.Block) ([]byte, error) {
	for i := range b.Part.Parts {
		p := &b.Part.Parts[i]
		switch p.Kind {
		case chat.Text, chat.Refusal:
			if !p.Text.Blank() {
				dst = append(p.Text.AppendMember(append(jsonedit.AppendComma(dst), '{'), "text"), '}')
			}
		case chat.Image, chat.File, chat.Video:
			var err error
			if dst, err = q.appendMedia(dst, p, b); err != nil {
				return nil, err
			}
		default:
			return nil, &chat.RequestError{Field: chat.PartField(b.Message, b.Index), Message: "a tool's result is text, images, documents or videos"}
		}
	}
	return dst, nil
}

// blockNames lists the blocks of the API that the internal form has no part for. A
// client may send one as {"type":"guardContent","guardContent":{…}}.
var blockNames = []string{
	"guardContent", "cachePoint", "searchResult", "citationsContent", "toolAddition", "toolRemoval",
	"image", "document", "video", "audio",
}

// Takes reports whether a block that the internal form does not know is one of the API's.
func (converse) Takes(p *chat.Part) bool {
	return slices.Contains(blockNames, p.Type) && jsonedit.Lookup(p.Raw, p.Type) != nil
}

func appendOpaque(dst []byte, b *chat.Block) ([]byte, error) {
	if (converse{}).Takes(b.Part) {
		return append(jsonedit.AppendRaw(append(jsonedit.AppendComma(dst), '{'), b.Part.Type, jsonedit.Lookup(b.Part.Raw, b.Part.Type)), '}'), nil
	}
	return nil, &chat.RequestError{Field: chat.PartField(b.Message, b.Index), Message: fmt.Sprintf("Converse has no content of type %q", b.Part.Type)}
}
