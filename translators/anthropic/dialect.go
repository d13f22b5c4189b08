package anthropic

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

// Dialect is the format of clients of Anthropic's Messages API: Claude Code and the
// official SDKs.
var Dialect chat.Dialect = dialect{}

type dialect struct{}

// ParseRequest reads a Messages body. Members without a field in the internal form
// are kept in Extra, and blocks without a part kind are Opaque, so that a provider of
// the same format loses nothing.
func (dialect) ParseRequest(o *jsonedit.Value) (*chat.Request, error) {
	r := &chat.Request{}
	if err := parseSystem(r, o.Get("system")); err != nil {
		return nil, err
	}
	if err := parseMessages(r, o.Get("messages")); err != nil {
		return nil, err
	}
	var err error
	o.Visit(func(name []byte, v *jsonedit.Value) {
		if err == nil && v.Type() != jsonedit.TypeNull {
			err = parseMember(r, string(name), v)
		}
	})
	if err != nil {
		return nil, err
	}
	parseServers(r, o.Get("mcp_servers"))
	r.FitTools()
	return r, nil
}

// parseMember reads a top-level member other than the conversation.
func parseMember(r *chat.Request, name string, v *jsonedit.Value) error {
	switch name {
	case "messages", "system":
		return nil
	case "model":
		return setString(&r.Model, name, v)
	case "stream":
		b, err := v.Bool()
		if err != nil {
			return &chat.RequestError{Field: name, Message: "must be a boolean"}
		}
		r.Stream = b
		return nil
	case "max_tokens":
		return setNumber(&r.MaxTokens, name, v)
	case "temperature":
		return setNumber(&r.Temperature, name, v)
	case "top_p":
		return setNumber(&r.TopP, name, v)
	case "top_k":
		return setNumber(&r.TopK, name, v)
	case "stop_sequences":
		for _, s := range v.GetArray() {
			r.Stop = append(r.Stop, string(s.GetStringBytes()))
		}
		return nil
	case "tools":
		return parseTools(r, v)
	case "tool_choice":
		parseToolChoice(r, v)
		return nil
	case "metadata":
		r.User = v.GetString("user_id")
		return nil
	case "service_tier":
		if r.ServiceTier = string(v.GetStringBytes()); r.ServiceTier == "standard_only" {
			r.ServiceTier = "default"
		}
		return nil
	case "output_format":
		parseFormat(r, v)
		return nil
	case "thinking", "output_config":
		parseThinking(r, name, v)
	}
	// Claude's thinking has more settings than a budget and an effort.
	r.Extra = append(r.Extra, chat.Member{Name: name, Value: v.JSON()})
	return nil
}

func setString(dst *string, field string, v *jsonedit.Value) error {
	s, err := v.StringBytes()
	if err != nil {
		return &chat.RequestError{Field: field, Message: "must be a string"}
	}
	*dst = string(s)
	return nil
}

func setNumber(dst *chat.Number, field string, v *jsonedit.Value) error {
	if v.Type() != jsonedit.TypeNumber {
		return &chat.RequestError{Field: field, Message: "must be a number"}
	}
	*dst = chat.Number(jsonedit.AppendValue(nil, v))
	return nil
}

// parseThinking reads thinking and output_config.
func parseThinking(r *chat.Request, name string, v *jsonedit.Value) {
	if name == "thinking" {
		switch v.GetString("type") {
		case "disabled":
			r.ReasoningEffort = "none"
		case "enabled", "adaptive":
			r.Thoughts = v.GetString("display") != "omitted"
		}
		if n := v.Get("budget_tokens"); n != nil && n.Type() == jsonedit.TypeNumber {
			r.ReasoningBudget = chat.Number(jsonedit.AppendValue(nil, n))
		}
		return
	}
	if effort := v.GetString("effort"); effort == "max" {
		r.ReasoningEffort = "xhigh"
	} else if effort != "" && r.ReasoningEffort != "none" {
		r.ReasoningEffort = effort
	}
	parseFormat(r, v.Get("format"))
}

// parseFormat reads a json_schema format. OpenAI requires a name for it.
func parseFormat(r *chat.Request, v *jsonedit.Value) {
	if v.GetString("type") == "json_schema" {
		strict := true
		r.ResponseFormat = chat.ResponseFormat{Type: "json_schema", Name: "answer", Schema: raw(v, "schema"), Strict: &strict}
	}
}

func parseTools(r *chat.Request, v *jsonedit.Value) error {
	tools, err := v.Array()
	if err != nil {
		return &chat.RequestError{Field: "tools", Message: "must be a list"}
	}
	r.Tools = make([]chat.Tool, 0, len(tools))
	for _, t := range tools {
		if kind := t.GetString("type"); kind != "" && kind != "custom" {
			r.Tools = append(r.Tools, ownTool(t, kind))
			continue
		}
		tool := chat.Tool{Name: t.GetString("name"), Description: t.GetText("description"),
			Parameters: raw(t, "input_schema"), CacheControl: raw(t, "cache_control")}
		if t.Has("strict") {
			strict := t.GetBool("strict")
			tool.Strict = &strict
		}
		r.Tools = append(r.Tools, tool)
	}
	return nil
}

func parseToolChoice(r *chat.Request, v *jsonedit.Value) {
	switch kind := v.GetString("type"); kind {
	case "any":
		r.ToolChoice.Mode = "required"
	case "tool":
		r.ToolChoice = chat.ToolChoice{Mode: "function", Name: v.GetString("name")}
	default:
		r.ToolChoice.Mode = kind
	}
	if v.Has("disable_parallel_tool_use") {
		parallel := !v.GetBool("disable_parallel_tool_use")
		r.ParallelTools = &parallel
	}
}

// parseSystem reads system: a string, or text blocks.
func parseSystem(r *chat.Request, v *jsonedit.Value) error {
	if v == nil || v.Type() == jsonedit.TypeNull {
		return nil
	}
	parts, err := parseBlocks(v, "system")
	if err == nil && len(parts) > 0 {
		r.Messages = append(r.Messages, chat.Message{Role: chat.System, Parts: parts})
	}
	return err
}

func parseMessages(r *chat.Request, v *jsonedit.Value) error {
	if v == nil || v.Type() != jsonedit.TypeArray {
		return &chat.RequestError{Field: "messages", Message: "must be a list"}
	}
	msgs := v.GetArray()
	r.Messages = slices.Grow(r.Messages, len(msgs))
	for i, m := range msgs {
		field := "messages[" + strconv.Itoa(i) + "]"
		role := chat.Role(m.GetStringBytes("role"))
		if role != chat.User && role != chat.Assistant && role != chat.System {
			return &chat.RequestError{Field: field + ".role", Message: "must be user or assistant"}
		}
		content := m.Get("content")
		if content == nil {
			return &chat.RequestError{Field: field + ".content", Message: "is missing"}
		}
		parts, err := parseBlocks(content, field+".content")
		if err != nil {
			return err
		}
		if len(parts) > 0 || len(content.GetArray()) == 0 {
			r.Messages = append(r.Messages, chat.Message{Role: role, Parts: parts})
		}
	}
	return nil
}

// parseBlocks reads content. A string is one block of text.
func parseBlocks(v *jsonedit.Value, field string) ([]chat.Part, error) {
	switch v.Type() {
	case jsonedit.TypeString:
		return []chat.Part{{Kind: chat.Text, Text: v.GetText()}}, nil
	case jsonedit.TypeArray:
	default:
		return nil, &chat.RequestError{Field: field, Message: "must be a string or a list of blocks"}
	}
	blocks := v.GetArray()
	parts := make([]chat.Part, 0, len(blocks))
	for i, b := range blocks {
		p, err := parseBlock(b, field, i)
		if err != nil {
			return nil, err
		}
		switch {
		case p.Kind == chat.RedactedThinking && chat.TakeRun(&parts, &p), p.Kind == chat.HostedRun && chat.Tell(&parts, &p):
		case p.Kind == chat.Thinking && p.Text.Empty() && p.Origin == "":
		case p.Kind == chat.Text && p.Text.Empty() && b.GetString("type") != "text": // said nothing to others
		default:
			chat.TakeCallToken(&parts, &p)
			parts = append(parts, p)
		}
	}
	return parts, nil
}

func parseBlock(b *jsonedit.Value, field string, i int) (chat.Part, error) {
	p := chat.Part{CacheControl: raw(b, "cache_control")}
	switch kind := b.GetString("type"); kind {
	case "text":
		p.Kind, p.Text = chat.Text, b.GetText("text")
	case "image", "document":
		p.Kind = chat.Image
		if kind == "document" {
			p.Kind = chat.File
		}
		if p.Media = parseSource(b); p.Media == nil {
			return opaque(b, kind), nil
		}
	case "thinking":
		p.Kind, p.Text = chat.Thinking, b.GetText("thinking")
		p.Sign(b.GetString("signature"), origin.Anthropic)
	case "redacted_thinking":
		p.Kind = chat.RedactedThinking
		p.Sign(b.GetString("data"), origin.Anthropic)
	case "tool_use":
		p.Kind, p.ID, p.Name, p.Arguments = chat.ToolCall, b.GetString("id"), b.GetString("name"), jsonedit.Plain("{}")
		if input := raw(b, "input"); input != nil {
			p.Arguments = jsonedit.PlainBytes(input)
		}
	case "tool_result":
		p.Kind, p.ID, p.IsError = chat.ToolResult, b.GetString("tool_use_id"), b.GetBool("is_error")
		if b.Has("content") {
			var err error
			if p.Parts, err = parseBlocks(b.Get("content"), field+"["+strconv.Itoa(i)+"].content"); err != nil {
				return p, err
			}
		}
	case "":
		return p, &chat.RequestError{Field: field + "[" + strconv.Itoa(i) + "].type", Message: "is missing"}
	case "tool_reference":
		p.Kind, p.Text = chat.Text, b.GetText("tool_name")
	case "compaction":
		p.Kind, p.Text = chat.Text, contentText(b)
	case "search_result":
		p.Kind, p.Text = chat.Text, jsonedit.Plain(strings.Join([]string{b.GetString("title"), b.GetString("source"), contentText(b).String()}, "\n"))
	default:
		if blockTypes[kind] {
			return toldOf(b, kind), nil
		}
		return opaque(b, kind), nil
	}
	return p, nil
}

// contentText is the text of a block's content, a string or a list of texts.
func contentText(b *jsonedit.Value) jsonedit.Text {
	if t := b.GetText("content"); !t.Empty() {
		return t
	}
	var all []string
	for _, c := range b.GetArray("content") {
		all = append(all, c.GetString("text"))
	}
	return jsonedit.Plain(strings.Join(all, "\n"))
}

func opaque(b *jsonedit.Value, kind string) chat.Part {
	return chat.Part{Kind: chat.Opaque, Type: kind, Raw: b.JSON()}
}

// parseSource reads the source of an image or a document. It returns nil for a source
// that only Anthropic has.
func parseSource(b *jsonedit.Value) *chat.Media {
	s := b.Get("source")
	m := &chat.Media{Filename: b.GetString("title"), Context: b.GetString("context"), Cite: b.GetBool("citations", "enabled")}
	switch s.GetString("type") {
	case "base64":
		m.MIME, m.Data = s.GetString("media_type"), s.GetText("data")
	case "url":
		m.URL = s.GetString("url")
	case "file":
		m.FileID = s.GetString("file_id")
	case "text":
		m.MIME, m.Data = "text/plain", jsonedit.Plain(base64.StdEncoding.EncodeToString(s.GetStringBytes("data")))
	case "content":
		m.MIME, m.Data = "text/plain", jsonedit.Plain(base64.StdEncoding.EncodeToString([]byte(contentText(s).String())))
	default:
		return nil
	}
	if strings.HasPrefix(m.URL, "data:") {
		return nil
	}
	return m
}
