package openai

import (
	"strings"
	"unicode/utf8"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// ParseResponse implements chat.Upstream.
func (responsesUpstream) ParseResponse(t *target.Target, body []byte) (*chat.Response, error) {
	p := jsonedit.Parsers.Get()
	defer jsonedit.Parsers.Put(p)
	v, err := p.Parse(body)
	if err != nil || v.Type() != jsonedit.TypeObject {
		return nil, &chat.ResponseError{Message: "failed to decode " + string(t.Route) + " response"}
	}
	if e := failureOf(v); e != nil {
		return nil, e
	}
	if v.Get("output").Type() != jsonedit.TypeArray {
		return nil, &chat.ResponseError{Message: "'output' not in " + string(t.Route) + " response"}
	}
	return readResponseObject(v), nil
}

// readResponseObject reads a response that is complete, or ended early.
func readResponseObject(v *jsonedit.Value) *chat.Response {
	resp := &chat.Response{ID: v.GetString("id"), Model: v.GetString("model"), Created: int64(v.GetInt("created_at")), ServiceTier: v.GetString("service_tier")}
	var r outputReader
	for _, item := range v.GetArray("output") {
		r.item(item)
	}
	finish := finishOf(v, r.calls)
	resp.Choices = []chat.Choice{{Parts: r.parts, Finish: finish, Citations: r.cites.List}}
	usage := v.Get("usage")
	resp.Usage.ServiceTier = resp.ServiceTier
	resp.Usage.SearchUnits = searchesIn(v.GetArray("output"))
	resp.NoUsage = usage == nil || !ReadUsage(jsonedit.AppendValue(nil, usage), &resp.Usage)
	return resp
}

// finishOf is why a response ended; calls says whether it has calls.
func finishOf(v *jsonedit.Value, calls bool) chat.FinishReason {
	switch reason := string(v.GetStringBytes("incomplete_details", "reason")); {
	case reason == "max_output_tokens":
		return chat.Length
	case reason != "": // content_filter is chat's word, too
		return chat.FinishReason(reason)
	case calls:
		return chat.ToolCalls
	}
	return chat.Stop
}

// failures are the statuses for the codes of failed responses, which have none of their
// own. A code that is not listed, and does not say that the request is invalid, is the
// server's fault.
// https://platform.openai.com/docs/api-reference/responses/object#responses/object-error
var failures = map[string]int{
	"rate_limit_exceeded": 429, "insufficient_quota": 429, "server_is_overloaded": 503, "slow_down": 503,
	"server_error": 500, "vector_store_timeout": 500, chat.ContextTooLong: 400,
}

// failureOf is why a response failed, nil if it did not.
func failureOf(v *jsonedit.Value) *chat.Error {
	e := v.Get("error")
	status := v.GetString("status")
	switch {
	case e != nil && e.Type() != jsonedit.TypeNull:
		return coded(readErrorValue(e))
	case status == "failed", status == "cancelled":
		return &chat.Error{Status: 500, Type: chat.TypeOf(500), Message: "the provider's response is " + status}
	}
	return nil
}

// coded gives an error the status and the type that its code stands for.
func coded(e *chat.Error) *chat.Error {
	if status, known := failures[e.Code]; known {
		e.Status = status
	} else if strings.Contains(e.Code, "invalid") || strings.Contains(e.Code, "image") {
		e.Status = 400
	}
	if e.Type == "error" { // the type of the event
		e.Type = ""
	}
	if e.Type == "" && e.Status != 0 {
		e.Type = chat.TypeOf(e.Status)
	}
	return e
}

// outputReader reads the items of an output.
// https://platform.openai.com/docs/api-reference/responses/object#responses/object-output
type outputReader struct {
	parts []chat.Part
	cites chat.Citations
	chars int // of the text so far
	calls bool
}

func (r *outputReader) item(o *jsonedit.Value) {
	switch typ := o.GetString("type"); typ {
	case "message":
		r.message(o)
	case "reasoning":
		r.thought(o)
	case "image_generation_call":
		if data := o.GetText("result"); !data.Empty() {
			r.parts = append(r.parts, chat.Part{Kind: chat.Image, Media: &chat.Media{MIME: pictureType(o), Data: data}})
		}
	default:
		if part, ok := callIn(o, typ); ok {
			r.parts, r.calls = append(r.parts, part), true
		} else if run := runOf(o); run != nil {
			r.parts = append(r.parts, chat.Part{Kind: chat.HostedRun, Run: run, Signature: runToken(o)})
		}
	}
}

// pictureType is the MIME type of a picture that was drawn.
func pictureType(o *jsonedit.Value) string {
	if format := o.GetString("output_format"); format != "" {
		return "image/" + format
	}
	return "image/png"
}

func (r *outputReader) message(o *jsonedit.Value) {
	r.cite(o, r.chars)
	for _, c := range o.GetArray("content") {
		kind, said := chat.Text, c.GetText("text")
		if c.GetString("type") == "refusal" {
			kind, said = chat.Refusal, c.GetText("refusal")
		}
		if said.Empty() {
			continue
		}
		if kind == chat.Text {
			r.chars += utf8.RuneCountInString(said.String())
		}
		r.parts = append(r.parts, chat.Part{Kind: kind, Text: said})
	}
}

// cite adds the sources of a message whose text begins at a character of the answer's.
func (r *outputReader) cite(o *jsonedit.Value, from int) (added []chat.Citation) {
	before := len(r.cites.List)
	for _, c := range o.GetArray("content") {
		for _, a := range c.GetArray("annotations") {
			r.cites.Add(citationOf(a, from))
		}
		from += utf8.RuneCount(c.GetStringBytes("text"))
	}
	return r.cites.List[before:]
}

// citationOf reads an annotation of text that begins at a character of the answer's.
func citationOf(a *jsonedit.Value, from int) chat.Citation {
	c := chat.Citation{URL: a.GetString("url"), Title: a.GetString("title"), FileID: a.GetString("file_id")}
	if c.Title == "" {
		c.Title = a.GetString("filename")
	}
	if at := a.Get("index"); at != nil {
		c.Start, c.End = from+max(at.GetInt(), 0), from+max(at.GetInt(), 0)
	} else {
		c.Start, c.End = from+max(a.GetInt("start_index"), 0), from+max(a.GetInt("end_index"), 0)
	}
	return c
}

// thought reads reasoning: its summary, and the encrypted form in which the API takes
// it back.
func (r *outputReader) thought(o *jsonedit.Value) {
	sealed := o.GetString("encrypted_content")
	var said []byte // as in a JSON string
	for _, list := range [...]string{"summary", "content"} {
		for _, s := range o.GetArray(list) {
			if t := s.GetText("text"); !t.Empty() {
				if len(said) > 0 {
					said = append(said, `\n\n`...)
				}
				said = t.AppendInside(said)
			}
		}
	}
	switch {
	case len(said) > 0:
		r.parts = append(r.parts, chat.Part{Kind: chat.Thinking, Text: jsonedit.Quoted(string(said)), Signature: sealed})
	case sealed != "":
		r.parts = append(r.parts, chat.Part{Kind: chat.RedactedThinking, Text: jsonedit.Plain(sealed)})
	}
}

// callIn is the call that an item of type typ holds, and whether the client has to run
// it.
func callIn(o *jsonedit.Value, typ string) (chat.Part, bool) {
	f := formOfItem(typ, o)
	if f == nil {
		return chat.Part{}, false
	}
	part := chat.Part{Kind: chat.ToolCall, ID: o.GetString("call_id"), Name: o.GetString("name"), Arguments: f.arguments(o)}
	if part.Name == "" {
		part.Name = f.kind
	}
	return part, part.ID != "" && part.Name != ""
}
