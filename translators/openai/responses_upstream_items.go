package openai

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// itemWriter writes the history as input items. A message with calls or thoughts
// becomes several.
// https://platform.openai.com/docs/api-reference/responses/create#responses_create-input
type itemWriter struct {
	dst     []byte
	calls   int             // so far
	offered map[string]bool // names of custom tools
	custom  map[string]bool // ids of their calls
}

// itemIDs are the ids of calls that the API takes.
var itemIDs = chat.CallIDs{Prefix: "call_", Longest: 64}

func (w *itemWriter) open(item string) {
	w.dst = append(append(append(jsonedit.AppendComma(w.dst), `{"type":"`...), item...), '"')
}

// message writes the items of a message.
func (w *itemWriter) message(m *chat.Message) error {
	var pictures []chat.Part
	for i := 0; i < len(m.Parts); {
		p := &m.Parts[i]
		switch {
		case p.Kind == chat.Thinking, p.Kind == chat.RedactedThinking:
			w.reasoning(p)
		case p.Kind == chat.HostedRun:
			w.ran(p.Signature)
		case p.Kind == chat.ToolCall:
			w.call(p)
		case p.Kind == chat.ToolResult:
			if err := w.result(p); err != nil {
				return err
			}
		case p.Kind == chat.Image && m.Role == chat.Assistant: // the model's messages have text only
			pictures = append(pictures, *p)
		default:
			n := said(m, i)
			if err := w.say(m.Role, m.Parts[i:i+n], i); err != nil {
				return err
			}
			i += n
			continue
		}
		i++
	}
	if len(pictures) > 0 {
		return w.say(chat.User, pictures, 0)
	}
	if len(m.Parts) == 0 && m.Role == chat.User {
		w.open("message")
		w.dst = append(w.dst, `,"role":"user","content":""}`...)
	}
	return nil
}

// said returns how many parts from the i-th on are of one message.
func said(m *chat.Message, i int) (n int) {
	for n = 1; i+n < len(m.Parts); n++ {
		switch k := m.Parts[i+n].Kind; {
		case k == chat.Thinking, k == chat.RedactedThinking, k == chat.HostedRun, k == chat.ToolCall, k == chat.ToolResult, k == chat.Image && m.Role == chat.Assistant:
			return n
		}
	}
	return n
}

// say writes a message of these parts, which begin at the message's part from.
func (w *itemWriter) say(role chat.Role, parts []chat.Part, from int) error {
	if role == chat.ToolRole { // what stands beside results is the user's
		role = chat.User
	}
	w.open("message")
	w.dst = append(jsonedit.AppendText(w.dst, "role", string(role)), `,"content":`...)
	if err := w.content(role, parts, from); err != nil {
		return err
	}
	w.dst = append(w.dst, '}')
	return nil
}

// content writes parts, as a string if possible.
func (w *itemWriter) content(role chat.Role, parts []chat.Part, from int) error {
	if len(parts) == 1 && parts[0].Kind == chat.Text {
		w.dst = parts[0].Text.Append(w.dst)
		return nil
	}
	w.dst = append(w.dst, '[')
	for i := range parts {
		w.dst = jsonedit.AppendComma(w.dst)
		if err := w.part(role, &parts[i]); err != nil {
			return within(index("content", from+i), err)
		}
	}
	w.dst = append(w.dst, ']')
	return nil
}

func (w *itemWriter) part(role chat.Role, p *chat.Part) error {
	switch p.Kind {
	case chat.Text:
		kind := `{"type":"input_text"`
		if role == chat.Assistant {
			kind = `{"type":"output_text"`
		}
		w.dst = append(p.Text.AppendMember(append(w.dst, kind...), "text"), '}')
		return nil
	case chat.Refusal:
		w.dst = append(p.Text.AppendMember(append(w.dst, `{"type":"refusal"`...), "refusal"), '}')
		return nil
	}
	if p.Media == nil {
		return refuse("", "a part of this type cannot be sent to the Responses API")
	}
	m, err := p.Media, error(nil)
	switch p.Kind {
	case chat.Image:
		w.dst = append(w.dst, `{"type":"input_image"`...)
		if m.FileID != "" {
			w.dst = jsonedit.AppendText(w.dst, "file_id", m.FileID)
		} else {
			w.dst = appendURL(jsonedit.AppendName(w.dst, "image_url"), m)
		}
		w.dst = append(jsonedit.AppendOptional(w.dst, "detail", m.Detail), '}')
	case chat.Audio:
		w.dst, err = appendSound(w.dst, m)
	case chat.File:
		return w.file(m)
	default:
		return refuse("", "a part of this type cannot be sent to the Responses API")
	}
	return err
}

func (w *itemWriter) file(m *chat.Media) error {
	w.dst = append(w.dst, `{"type":"input_file"`...)
	switch {
	case m.FileID != "":
		w.dst = jsonedit.AppendText(w.dst, "file_id", m.FileID)
	case m.URL != "":
		w.dst = jsonedit.AppendText(w.dst, "file_url", m.URL)
	case !m.Data.Empty():
		w.dst = jsonedit.AppendText(w.dst, "filename", fileName(m))
		w.dst = appendURL(jsonedit.AppendName(w.dst, "file_data"), m)
	default:
		return refuse("", "a file must be sent as data, as a URL or as an uploaded file's id")
	}
	w.dst = append(w.dst, '}')
	return nil
}

// reasoning writes a thought that the API has encrypted. It takes no others, and needs
// no id.
// https://platform.openai.com/docs/guides/reasoning#encrypted-reasoning-items
func (w *itemWriter) reasoning(p *chat.Part) {
	sealed, summary := p.Signature, p.Text
	if p.Kind == chat.RedactedThinking {
		sealed, summary = p.Text.String(), jsonedit.Text{}
	}
	if sealed == "" {
		return
	}
	w.open("reasoning")
	w.dst = append(w.dst, `,"summary":[`...)
	if !summary.Empty() {
		w.dst = append(summary.Append(append(w.dst, `{"type":"summary_text","text":`...)), '}')
	}
	w.dst = append(jsonedit.AppendText(append(w.dst, ']'), "encrypted_content", sealed), '}')
}

func (w *itemWriter) call(p *chat.Part) {
	w.calls++
	custom := w.offered[p.Name]
	if custom != w.custom[p.ID] {
		if w.custom == nil {
			w.custom = map[string]bool{}
		}
		w.custom[p.ID] = custom
	}
	if custom {
		w.open("custom_tool_call")
	} else {
		w.open("function_call")
	}
	w.dst = jsonedit.AppendText(w.dst, "call_id", itemIDs.Of(p.ID, w.calls))
	w.dst = jsonedit.AppendText(w.dst, "name", p.Name)
	if custom {
		w.dst = append(jsonedit.AppendText(w.dst, "input", inputOf(p.Arguments)), '}')
		return
	}
	if p.Arguments.Empty() {
		w.dst = append(w.dst, `,"arguments":"{}"}`...)
		return
	}
	w.dst = append(p.Arguments.AppendMember(w.dst, "arguments"), '}')
}

func (w *itemWriter) result(p *chat.Part) error {
	if w.custom[p.ID] {
		w.open("custom_tool_call_output")
	} else {
		w.open("function_call_output")
	}
	w.dst = append(jsonedit.AppendText(w.dst, "call_id", itemIDs.Of(p.ID, w.calls)), `,"output":`...)
	if len(p.Parts) == 0 {
		w.dst = append(w.dst, `""}`...)
		return nil
	}
	if err := w.content(chat.ToolRole, p.Parts, 0); err != nil {
		return err
	}
	w.dst = append(w.dst, '}')
	return nil
}
