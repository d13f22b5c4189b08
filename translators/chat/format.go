package chat

import (
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/target"
)

// Upstream is a provider's chat format. Implementations are stateless values.
type Upstream interface {
	// AppendRequest writes req as the provider's body for t to dst and returns
	// the extended buffer. It ignores ExtraBody, which the caller merges.
	// Errors are *RequestError.
	AppendRequest(dst []byte, t *target.Target, req *Request) ([]byte, error)
	// ParseResponse reads the body of a 200, which the Response aliases; see
	// Response. Errors are *ResponseError, or *Error for a body that is one.
	ParseResponse(t *target.Target, body []byte) (*Response, error)
	// NewStream returns the reader of one streamed answer.
	NewStream(t *target.Target) Stream
}

// Stream turns a provider's events into deltas. It holds the state of one
// stream (block indexes, usage so far) and is not safe for concurrent use.
type Stream interface {
	// Next consumes one event and returns the deltas it yields: none for a
	// ping, several for an event that ends both a block and the stream. The
	// slice and all it points to are valid until the next call, and the caller
	// keeps ev's bytes unchanged until then. An error (*ResponseError) ends the
	// stream. A provider's own error event is returned as an ErrorDelta instead.
	Next(ev frame.Event) ([]Delta, error)
}

// Resting is an optional interface of a Stream.
type Resting interface {
	// Rest releases what the last Next returned, and the memory that holds it.
	// The relay calls it before it waits for the next event.
	Rest()
}

// Dialect is a client's chat format. Implementations are stateless values.
type Dialect interface {
	// ParseRequest reads a client's body, an object. What the Request keeps of it
	// aliases the body's text, never the value; see Request. Errors are *RequestError.
	ParseRequest(body *jsonedit.Value) (*Request, error)
	// AppendResponse writes a whole answer.
	AppendResponse(dst []byte, resp *Response) ([]byte, error)
	// NewEncoder returns the writer of one streamed answer.
	NewEncoder(meta Meta) Encoder
	// AppendError writes the body of an error answer.
	AppendError(dst []byte, e *Error) []byte
}

// ParseRequest reads a client's body, which the Request aliases, with d. Errors are
// *RequestError.
func ParseRequest(d Dialect, body []byte) (*Request, error) {
	p := jsonedit.Parsers.Get()
	defer jsonedit.Parsers.Put(p)
	v, err := p.Parse(body)
	if err != nil {
		return nil, &RequestError{Message: "request body is not valid JSON: " + err.Error()}
	}
	if v.Type() != jsonedit.TypeObject {
		return nil, &RequestError{Message: "request body is not valid JSON: want an object"}
	}
	return d.ParseRequest(v)
}

// Meta holds what an answer needs and the provider may leave out. The relay
// makes it, since translators use neither the clock nor random numbers.
type Meta struct {
	ID           string // unique, without prefix: "8T6YwgvjQVVnGbJ2w8hpOA17SeNy2"
	Created      int64  // unix seconds
	Model        string // the model that was asked
	Named        string // the model as the client named it, "" if it named none
	IncludeUsage bool   // the client asked for usage in the stream
	PromptTokens int    // an estimate, for formats that report it at the start
	// Tools says how the client's format writes the calls of certain functions, by
	// Tool.Name; nil if all are plain. See Request.ClientTools.
	Tools map[string]ClientTool
	// Properties are the client's names of functions' properties. See
	// Request.NameProperties.
	Properties Properties
	// Origin is whose the signatures and the redacted thinking of the answer are.
	Origin origin.Name
}

// Encoder writes deltas as the client's stream. It holds the state of one
// answer and is not safe for concurrent use.
type Encoder interface {
	// Append writes the events for d, none or several, to dst. An End delta
	// writes the format's closing events (usage if asked, [DONE]); an
	// ErrorDelta writes the format's error event, after which nothing follows.
	Append(dst []byte, d *Delta) []byte
}

// Meter reads usage and the model from bytes that are forwarded unchanged.
type Meter interface {
	// Whole reads the body of a whole answer. It leaves fields of seen unchanged
	// that the body says nothing about.
	Whole(body []byte, seen *Seen)
	// Event reads one event of a stream. It must be cheap on events without usage.
	Event(ev frame.Event, seen *Seen)
}

// Seen is what a Meter has found so far.
type Seen struct {
	HasUsage bool // the provider reported usage
	Content  bool // content that a client would show has arrived
	Ended    bool // the format's end marker was seen ([DONE], message_stop)
	// UsageOnly is set by Event when the event carries usage and nothing else
	// (OpenAI's last chunk with empty choices), cleared otherwise.
	UsageOnly bool
	TextLen   int    // bytes of content so far, for estimates
	Err       *Error // an error event in the stream
	// Collect, if set, is called with the text of the answer (payload logging).
	Collect func(text []byte)
	Finish  FinishReason // last one, for the log
	Model   string       // as the provider reports it
	ID      string       // the answer's, in formats that name it in their last event, too
	Usage   Usage
	// Stored is the id of the object that was counted, if the same usage is
	// reported again, or only, when the object is read later: an answer in
	// background mode, or a run of an assistant. "" otherwise.
	Stored string
	// Alike is for a Meter: what the last event of text had in common with the next.
	Alike jsonedit.Alike
}

// Shown counts text that a client shows, and passes it to Collect.
func (s *Seen) Shown(text []byte) {
	s.Hidden(text)
	if len(text) > 0 && s.Collect != nil {
		s.Collect(text)
	}
}

// Hidden counts output that a client does not show: thinking, arguments of calls.
func (s *Seen) Hidden(text []byte) {
	if len(text) > 0 {
		s.Content = true
		s.TextLen += len(text)
	}
}

// Instruction says in words what form an answer is to have, for models that have no
// such setting; "" when f asks for none.
func (f *ResponseFormat) Instruction() string {
	const object = "Answer with one valid JSON object and nothing else."
	switch {
	case f.Type == "json_schema" && len(f.Schema) > 0:
		return "Answer with one valid JSON value and nothing else. It must match this JSON schema: " + string(f.Schema)
	case f.Type == "json_object", f.Type == "json_schema":
		return object
	}
	return ""
}
