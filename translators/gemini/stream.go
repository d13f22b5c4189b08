package gemini

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// NewStream returns the reader of a streamGenerateContent answer, of server-sent
// events or of the elements of a JSON array. The format has no closing event, so no
// delta is an End: an answer with a finish reason is complete when the stream ends.
func (generate) NewStream(*target.Target) chat.Stream { return &stream{} }

// stream reads one answer. Each event is a whole GenerateContentResponse with more
// text or with whole function calls.
type stream struct {
	jsonedit.EventParser
	deltas []chat.Delta
	buf    []byte // arguments, ids and raw members of this event's deltas
	id     []byte
	opened bool
	calls  []int        // by candidate
	cited  []grounding  // by candidate
	ran    []serverRuns // by candidate
	looked []searches   // by candidate
	usage  chat.Usage
}

// Next implements chat.Stream.
func (s *stream) Next(ev frame.Event) ([]chat.Delta, error) {
	s.deltas, s.buf = s.deltas[:0], s.buf[:0]
	if len(ev.Data) == 0 || string(ev.Data) == "[DONE]" { // OpenAI's end, which servers in between add
		return nil, nil
	}
	v, err := s.ParseEvent(ev.Data)
	if err != nil {
		return nil, &chat.ResponseError{Message: "an event of Gemini's stream is not valid JSON"}
	}
	if v.Type() == jsonedit.TypeArray { // an error may be in an array
		for _, item := range v.GetArray() {
			s.response(item)
		}
		return s.deltas, nil
	}
	s.response(v)
	return s.deltas, nil
}

func (s *stream) emit(d chat.Delta) { s.deltas = append(s.deltas, d) }

// keep returns what was appended to buf since from. If buf grows later, earlier
// deltas keep the old array, which does not change.
func (s *stream) keep(from int) []byte { return s.buf[from:len(s.buf):len(s.buf)] }

func (s *stream) response(v *jsonedit.Value) {
	if e := v.Get("error"); e != nil {
		s.emit(chat.Delta{Kind: chat.ErrorDelta, Err: parseError(e)})
		return
	}
	if !s.opened {
		s.opened = true
		s.id = append(s.id, v.GetStringBytes("responseId")...)
		s.emit(chat.Delta{Kind: chat.Start, ID: s.id, Created: jsonedit.Unix(v, "createTime")})
	}
	candidates := v.GetArray("candidates")
	for i, c := range candidates {
		s.content(place(i, c), c)
	}
	if len(candidates) > 0 {
		for _, name := range candidateExtras {
			s.extra(name, candidates[0].Get(name))
		}
	}
	before := s.usage
	if readUsage(v, &s.usage) && s.usage != before {
		s.emit(chat.Delta{Kind: chat.UsageDelta, Usage: &s.usage})
	}
	for i, c := range candidates {
		at := place(i, c)
		if reason := finishReason(c.GetStringBytes("finishReason"), s.called(at) > 0); reason != "" {
			s.searched(at)
			d := chat.Delta{Kind: chat.Finish, Choice: at, Reason: reason}
			if reason == chat.Failed {
				d.Text = []byte(failure(c))
			}
			s.emit(d)
		}
	}
	if feedback := v.Get("promptFeedback"); len(candidates) == 0 && len(feedback.GetStringBytes("blockReason")) > 0 {
		s.extra("promptFeedback", feedback)
		s.emit(chat.Delta{Kind: chat.Finish, Reason: chat.ContentFilter})
	}
}

func (s *stream) extra(name string, v *jsonedit.Value) {
	if v == nil {
		return
	}
	from := len(s.buf)
	s.buf = append(s.buf, name...)
	key := s.keep(from)
	from = len(s.buf)
	s.buf = jsonedit.AppendValue(s.buf, v)
	s.emit(chat.Delta{Kind: chat.ExtraDelta, Name: key, Raw: s.keep(from)})
}

func (s *stream) called(candidate int) int {
	if candidate >= len(s.calls) {
		return 0
	}
	return s.calls[candidate]
}

func (s *stream) content(at int, candidate *jsonedit.Value) {
	for _, p := range candidate.GetArray("content", "parts") {
		signature := p.GetStringBytes("thoughtSignature")
		if said := p.Get("text"); said != nil {
			s.text(at, said.GetStringBytes(), p.GetBool("thought"), signature)
		} else if call := p.Get("functionCall"); call != nil {
			s.call(at, call, signature)
		} else if blob := p.Get("inlineData"); blob != nil {
			s.media(at, blob)
		} else {
			s.run(at, p)
		}
	}
	if cited := candidate.Get("groundingMetadata"); cited != nil {
		for _, c := range s.sources(at).read(cited) {
			s.emit(chat.Delta{Kind: chat.CitationDelta, Choice: at, Citation: &c})
		}
		for len(s.looked) <= at {
			s.looked = append(s.looked, searches{})
		}
		s.looked[at].read(cited)
	}
	if l := candidate.Get("logprobsResult"); l != nil {
		from := len(s.buf)
		s.buf = appendLogprobs(s.buf, l)
		s.emit(chat.Delta{Kind: chat.LogprobsDelta, Choice: at, Raw: s.keep(from)})
	}
}

// searched tells of the searches of a candidate.
func (s *stream) searched(at int) {
	if at >= len(s.looked) || at < len(s.ran) && s.ran[at].looked { // which is told of already
		return
	}
	for _, run := range s.looked[at].list {
		s.emit(chat.Delta{Kind: chat.RunStart, Choice: at, Run: run})
		s.emit(chat.Delta{Kind: chat.RunEnd, Choice: at, Run: run})
	}
	s.looked[at].list = nil
}

// run tells of what Google ran.
func (s *stream) run(at int, p *jsonedit.Value) {
	for len(s.ran) <= at {
		s.ran = append(s.ran, serverRuns{})
	}
	ran := &s.ran[at]
	if run := ran.begin(p); run != nil {
		s.emit(chat.Delta{Kind: chat.RunStart, Choice: at, Run: run})
	} else if run, token := ran.end(p); run != nil {
		s.emit(chat.Delta{Kind: chat.RunEnd, Choice: at, Run: run, Signature: []byte(token)})
	}
}

// sources are those of a candidate's text so far.
func (s *stream) sources(candidate int) *grounding {
	for len(s.cited) <= candidate {
		s.cited = append(s.cited, grounding{})
	}
	return &s.cited[candidate]
}

func (s *stream) text(at int, said []byte, thought bool, signature []byte) {
	if !thought {
		if len(said) > 0 {
			s.sources(at).text.Write(said)
			s.emit(chat.Delta{Kind: chat.TextDelta, Choice: at, Text: said, Signature: signature})
		}
		return
	}
	if len(said) > 0 {
		s.emit(chat.Delta{Kind: chat.ThinkingDelta, Choice: at, Text: said})
	}
	if len(signature) > 0 {
		s.emit(chat.Delta{Kind: chat.SignatureDelta, Choice: at, Text: signature})
	}
}

func (s *stream) call(at int, call *jsonedit.Value, signature []byte) {
	for len(s.calls) <= at {
		s.calls = append(s.calls, 0)
	}
	from := len(s.buf)
	s.buf = argumentsOf(s.buf, call)
	arguments := s.keep(from)
	name, id := call.GetStringBytes("name"), call.GetStringBytes("id")
	if len(id) == 0 {
		from = len(s.buf)
		s.buf = appendCallID(s.buf, s.id, at, s.calls[at], name, arguments)
		id = s.keep(from)
	}
	s.emit(chat.Delta{Kind: chat.ToolStart, Choice: at, Index: s.calls[at], ID: id, Name: name, Text: arguments, Signature: signature})
	s.calls[at]++
}

// media adds sound and images. Both are sent whole, or in pieces that can be joined.
func (s *stream) media(at int, blob *jsonedit.Value) {
	mime, data := blob.GetStringBytes("mimeType"), blob.GetStringBytes("data")
	switch kindOf(string(mime)) {
	case chat.Image:
		s.emit(chat.Delta{Kind: chat.ImageDelta, Choice: at, Name: mime, Text: data})
	case chat.Audio:
		from := len(s.buf)
		s.buf = append(jsonedit.AppendText(append(s.buf, '{'), "data", data), '}')
		s.emit(chat.Delta{Kind: chat.AudioDelta, Choice: at, Raw: s.keep(from)})
	}
}

// parseError reads Google's error object, {"code","message","status"}.
// https://cloud.google.com/apis/design/errors
func parseError(v *jsonedit.Value) *chat.Error {
	e := &chat.Error{Status: v.GetInt("code"), Code: string(v.GetStringBytes("status")), Message: string(v.GetStringBytes("message"))}
	if e.Message == "" {
		e.Message = string(v.GetStringBytes())
	}
	e.Type = errorType(e.Code, e.Status)
	return e
}

func errorType(code string, status int) string {
	if status == 0 {
		status = statusOf[code]
	}
	if code == "UNAVAILABLE" {
		return "overloaded_error"
	}
	return chat.TypeOf(status)
}

// statusOf holds the HTTP statuses of Google's codes.
var statusOf = map[string]int{
	"INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "OUT_OF_RANGE": 400, "UNAUTHENTICATED": 401,
	"PERMISSION_DENIED": 403, "NOT_FOUND": 404, "ABORTED": 409, "ALREADY_EXISTS": 409, "RESOURCE_EXHAUSTED": 429,
	"CANCELLED": 499, "INTERNAL": 500, "UNKNOWN": 500, "UNIMPLEMENTED": 501, "UNAVAILABLE": 503, "DEADLINE_EXCEEDED": 504,
}
