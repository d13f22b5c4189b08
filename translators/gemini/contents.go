package gemini

import (
	"fmt"
	"slices"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// writer writes the conversation as contents, which alternate between the user and
// the model. Consecutive messages of one role are merged.
type writer struct {
	dst    []byte
	req    *chat.Request
	first  jsonedit.Text // words that the user says before all others
	ids    bool          // functionCall and functionResponse have an id (Vertex v1 has none)
	signs  bool          // of the model: see model
	joins  bool          // of the model, unless it is on Vertex
	turn   string        // kind of the open content: user, model, results; "" for none
	begun  bool          // there is a content
	signed bool          // the open content has a call
	lost   bool          // runs before the calls of the message are not sent, which the calls' signatures are about
	calls  []*chat.Part
	places map[string]int // of the last call with an id, in calls
}

// skipSignature replaces the thought signature of a call that another model made.
// Gemini 3 refuses calls without a signature.
// https://ai.google.dev/gemini-api/docs/thought-signatures#faqs
const skipSignature = "skip_thought_signature_validator"

func (w *writer) contents() error {
	w.dst = append(jsonedit.AppendName(w.dst, "contents"), '[')
	start := len(w.dst)
	if !w.first.Empty() {
		w.open("user")
		w.dst = append(w.first.AppendMember(append(w.dst, '{'), "text"), '}')
	}
	msgs := w.req.Messages
	for i := 0; i < len(msgs); {
		m := &msgs[i]
		if m.Role == chat.System {
			i++
			continue
		}
		if len(m.Parts) == 0 && m.Role == chat.User {
			return &chat.RequestError{Message: fmt.Sprintf("message at position %d does not match expected array format", i+1)}
		}
		if hasResult(m) {
			next, err := w.results(i)
			if err != nil {
				return err
			}
			i = next
			continue
		}
		if err := w.message(i, m); err != nil {
			return err
		}
		i++
	}
	if len(w.dst) == start { // contents must not be empty, whatever the system says
		w.opening()
	}
	w.close()
	w.dst = append(w.dst, ']')
	return nil
}

func hasResult(m *chat.Message) bool {
	return slices.ContainsFunc(m.Parts, func(p chat.Part) bool { return p.Kind == chat.ToolResult })
}

func (w *writer) open(turn string) {
	if w.turn == turn {
		return
	}
	w.close()
	if turn == "model" && !w.begun {
		w.begun = true
		w.opening()
		w.close()
	}
	w.turn, w.signed, w.begun = turn, false, true
	role := "user"
	if turn == "model" {
		role = "model"
	}
	w.dst = jsonedit.AppendText(append(jsonedit.AppendComma(w.dst), '{'), "role", role)
	w.dst = append(jsonedit.AppendName(w.dst, "parts"), '[')
}

// opening writes a turn of the user's: a conversation begins with one. "Please ensure that
// function call turn comes immediately after a user turn or after a function response turn."
// https://github.com/google-gemini/gemini-cli/issues/11814
func (w *writer) opening() {
	w.open("user")
	w.dst = append(chat.Opening.Text.AppendMember(append(w.dst, '{'), "text"), '}')
}

func (w *writer) close() {
	if w.turn != "" {
		w.dst = append(w.dst, `]}`...)
	}
	w.turn = ""
}

// message writes the parts of a message, except for tool results.
func (w *writer) message(i int, m *chat.Message) error {
	turn := "user"
	if m.Role == chat.Assistant {
		turn = "model"
	}
	call := 0
	w.lost = false
	for j := range m.Parts {
		p := &m.Parts[j]
		switch {
		case p.Kind == chat.ToolResult, p.Kind == chat.RedactedThinking: // results are written by results; redacted thinking is another provider's
			continue
		case p.Kind == chat.Thinking && p.Signature == "": // another model's, or a summary, which says nothing new to the model
			continue
		case (p.Kind == chat.Text || p.Kind == chat.Refusal) && p.Text.Empty() && p.Signature == "":
			continue
		case p.Kind == chat.HostedRun:
			w.appendRun(turn, p)
			continue
		}
		w.open(turn)
		if p.Kind != chat.ToolCall {
			if err := w.part(chat.PartField(i, j), p); err != nil {
				return err
			}
			continue
		}
		if err := w.call(fmt.Sprintf("messages[%d].tool_calls[%d].function.arguments", i, call), p); err != nil {
			return err
		}
		call++
	}
	return nil
}

// call writes a functionCall. Only the first of parallel calls has a signature.
func (w *writer) call(field string, p *chat.Part) error {
	if w.places == nil {
		w.places = map[string]int{}
	}
	w.places[p.ID] = len(w.calls)
	w.calls = append(w.calls, p)
	w.dst = append(jsonedit.AppendComma(w.dst), `{"functionCall":{`...)
	if w.ids && p.ID != "" {
		w.dst = jsonedit.AppendText(w.dst, "id", p.ID)
	}
	var ok bool
	if w.dst, ok = p.Arguments.AppendObject(jsonedit.AppendName(jsonedit.AppendText(w.dst, "name", p.Name), "args")); !ok {
		return &chat.RequestError{Field: field, Message: "must be a JSON object"}
	}
	w.dst = append(w.dst, '}')
	switch {
	case p.Signature != "" && !w.lost:
		w.dst = jsonedit.AppendText(w.dst, "thoughtSignature", p.Signature)
	case !w.signed && w.signs:
		w.dst = jsonedit.AppendText(w.dst, "thoughtSignature", skipSignature)
	}
	w.dst = append(w.dst, '}')
	w.signed = true
	return nil
}

// result is a tool result, with the index of its call among all calls.
type result struct {
	part  *chat.Part
	name  string
	place int
}

// results writes the results of the messages from i on as one content, in the order
// of their calls, since without ids the order is what matches them. It returns the
// next message to write. What a user says in the same messages follows as a turn of
// its own.
func (w *writer) results(i int) (int, error) {
	var all []result
	msgs := w.req.Messages
	for ; i < len(msgs) && hasResult(&msgs[i]); i++ {
		for j := range msgs[i].Parts {
			p := &msgs[i].Parts[j]
			if p.Kind != chat.ToolResult {
				continue
			}
			r := result{part: p, name: p.Name, place: len(w.calls)}
			if k, ok := w.places[p.ID]; ok {
				r.name, r.place = w.calls[k].Name, k
			}
			if r.name == "" {
				return 0, &chat.RequestError{Field: fmt.Sprintf("messages[%d].tool_call_id", i), Message: fmt.Sprintf("no earlier tool call has the id '%s'", p.ID)}
			}
			all = append(all, r)
		}
		if msgs[i].Role != chat.ToolRole && len(msgs[i].Parts) > 1 {
			i++
			break
		}
	}
	slices.SortStableFunc(all, func(a, b result) int { return a.place - b.place })
	w.open("results")
	for _, r := range all {
		if err := w.result(r); err != nil {
			return 0, err
		}
	}
	return i, w.beside(i-1, all)
}

// beside writes what the messages hold besides results: other parts of the last
// message and, for models that take no media within a response, the media of results.
func (w *writer) beside(i int, all []result) error {
	if !w.signs {
		for _, r := range all {
			for j := range r.part.Parts {
				p := &r.part.Parts[j]
				if p.Media == nil {
					continue
				}
				w.open("user")
				if err := w.part(chat.PartField(i, j), p); err != nil {
					return err
				}
			}
		}
	}
	if m := &w.req.Messages[i]; m.Role != chat.ToolRole {
		return w.message(i, m)
	}
	return nil
}

// result writes a functionResponse. A result that is not an object becomes the member
// "output", or "error", which are Google's names.
func (w *writer) result(r result) error {
	w.dst = append(jsonedit.AppendComma(w.dst), `{"functionResponse":{`...)
	if w.ids && r.part.ID != "" {
		w.dst = jsonedit.AppendText(w.dst, "id", r.part.ID)
	}
	w.dst = jsonedit.AppendName(jsonedit.AppendText(w.dst, "name", r.name), "response")
	media := 0
	for j := range r.part.Parts {
		if r.part.Parts[j].Media != nil {
			media++
		}
	}
	w.dst = appendOutput(w.dst, r.part)
	if media > 0 && w.signs {
		w.dst = append(jsonedit.AppendName(w.dst, "parts"), '[')
		for j := range r.part.Parts {
			if p := &r.part.Parts[j]; p.Media != nil {
				if err := w.part("tool result", p); err != nil {
					return err
				}
			}
		}
		w.dst = append(w.dst, ']')
	}
	w.dst = append(w.dst, `}}`...)
	return nil
}

// appendOutput writes a tool's result: an object unchanged, and other text as a
// member of an object.
func appendOutput(dst []byte, result *chat.Part) []byte {
	var object, text []byte
	mayBe := true // an object
	for j := range result.Parts {
		p := &result.Parts[j]
		if p.Media != nil {
			continue
		}
		if mayBe = mayBe && (len(object) > 0 || p.Text.Start() == '{' || p.Text.Start() == 0); mayBe {
			object = p.Text.AppendDecoded(object)
		}
		text = p.Text.AppendInside(text)
	}
	mayBe = mayBe && isObject(string(object))
	switch {
	case mayBe && !result.IsError:
		return append(dst, object...)
	case mayBe:
		return append(append(append(dst, `{"error":`...), object...), '}')
	case result.IsError:
		dst = append(dst, `{"error":"`...)
	default:
		dst = append(dst, `{"output":"`...)
	}
	return append(append(dst, text...), `"}`...)
}

// part writes a part that is neither a call nor a result.
func (w *writer) part(field string, p *chat.Part) error {
	switch p.Kind {
	case chat.Text, chat.Refusal:
		w.dst = p.Text.AppendMember(append(jsonedit.AppendComma(w.dst), '{'), "text")
		w.sign(p)
	case chat.Thinking:
		w.dst = p.Text.AppendMember(append(jsonedit.AppendComma(w.dst), '{'), "text")
		w.dst = jsonedit.AppendRaw(w.dst, "thought", "true")
		w.sign(p)
	case chat.Image, chat.Audio, chat.File, chat.Video:
		return w.media(field, p)
	default:
		return unknownPart(p.Type)
	}
	return nil
}

func (w *writer) sign(p *chat.Part) {
	w.dst = jsonedit.AppendOptional(w.dst, "thoughtSignature", p.Signature)
	w.dst = append(w.dst, '}')
}

// unknownPart returns the error for a part of an unsupported type, or of a known type
// without its content.
func unknownPart(typ string) error {
	switch typ {
	case "text":
		return &chat.RequestError{Message: "message part type is 'text' but is missing .text block"}
	case "image_url":
		return &chat.RequestError{Message: "message part type is 'image_url' but is missing .image_url.url block"}
	}
	return &chat.RequestError{Message: "cannot transform part of type '" + typ + "' to Gemini format"}
}

func (w *writer) media(field string, p *chat.Part) error {
	m := p.Media
	switch {
	case m != nil && !m.Data.Empty():
		w.dst = append(jsonedit.AppendComma(w.dst), `{"inlineData":{`...)
		w.dst = m.Data.AppendMember(jsonedit.AppendText(w.dst, "mimeType", inlineType(p.Kind, m)), "data")
	case m != nil && m.URL != "":
		w.file(m.URL, linkedType(p.Kind, m))
	case m != nil && strings.Contains(m.FileID, "://"):
		w.file(m.FileID, linkedType(p.Kind, m))
	case m != nil && strings.HasPrefix(m.FileID, "files/"):
		w.file("https://generativelanguage.googleapis.com/v1beta/"+m.FileID, m.MIME)
	case m != nil && m.FileID != "":
		return &chat.RequestError{Field: field, Message: fmt.Sprintf("Gemini knows no file '%s'; send its data or a file URI", m.FileID)}
	case p.Kind == chat.Image:
		return unknownPart("image_url")
	default:
		return &chat.RequestError{Field: field, Message: "has neither data nor a URL"}
	}
	w.dst = append(w.dst, `}}`...)
	return nil
}

func (w *writer) file(uri, mime string) {
	w.dst = append(jsonedit.AppendComma(w.dst), `{"fileData":{`...)
	w.dst = jsonedit.AppendOptional(w.dst, "mimeType", mime)
	w.dst = jsonedit.AppendText(w.dst, "fileUri", uri)
}

// inlineType returns the media type of data. If the client gave none, it is guessed.
func inlineType(kind chat.PartKind, m *chat.Media) string {
	if m.MIME != "" {
		return m.Type()
	}
	if t := typeByExtension(m.Filename); t != "" {
		return t
	}
	return map[chat.PartKind]string{chat.Image: "image/png", chat.Audio: "audio/wav", chat.File: "application/pdf", chat.Video: "video/mp4"}[kind]
}

// linkedType returns the media type for a URL. For an image on the web it is
// image/generic, as in Kong: Google detects the type.
func linkedType(kind chat.PartKind, m *chat.Media) string {
	if m.MIME != "" {
		return m.Type()
	}
	onWeb := strings.HasPrefix(m.URL, "http")
	if t := typeByExtension(m.URL); t != "" && !(kind == chat.Image && onWeb) {
		return t
	}
	return map[chat.PartKind]string{chat.Image: "image/generic", chat.Audio: "audio/mpeg", chat.File: "application/pdf", chat.Video: "video/mp4"}[kind]
}

var extensions = map[string]string{
	"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "heic": "image/heic", "heif": "image/heif", "gif": "image/gif",
	"wav": "audio/wav", "mp3": "audio/mp3", "aiff": "audio/aiff", "aac": "audio/aac", "ogg": "audio/ogg", "flac": "audio/flac", "m4a": "audio/m4a",
	"mp4": "video/mp4", "mpeg": "video/mpeg", "mov": "video/quicktime", "avi": "video/avi", "webm": "video/webm", "wmv": "video/wmv",
	"pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown", "html": "text/html", "css": "text/css", "csv": "text/csv",
	"xml": "text/xml", "json": "application/json",
}

func typeByExtension(name string) string {
	name, _, _ = strings.Cut(name, "?")
	name, _, _ = strings.Cut(name, "#")
	dot := strings.LastIndexByte(name, '.')
	return extensions[strings.ToLower(name[dot+1:])]
}

// argumentsOf writes the args of a call as the text of arguments.
func argumentsOf(dst []byte, call *jsonedit.Value) []byte {
	if args := call.Get("args"); args != nil && args.Type() == jsonedit.TypeObject {
		return jsonedit.AppendValue(dst, args)
	}
	return append(dst, '{', '}')
}
