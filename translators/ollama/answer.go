package ollama

import (
	"time"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// line is a whole answer, or one line of a streamed one: the two formats
// differ only in where the text stands. Its values are JSON as written, and
// alias the bytes that were read; nil is absent.
type line struct {
	model, created    []byte
	text, thinking    []byte
	calls, logprobs   []byte
	reason            []byte
	read, written     []byte // prompt_eval_count and eval_count
	failure           []byte
	answered, settled bool // there is a message or a response; it is done
}

// parse reads data. It allocates nothing but for objects of many members.
// https://docs.ollama.com/api/chat and https://docs.ollama.com/api/generate
func (l *line) parse(data []byte) error {
	var space [20]jsonedit.Member
	members, err := jsonedit.Object(data, space[:0])
	if err != nil {
		return err
	}
	for i := range members {
		value := members[i].Value
		if jsonedit.IsNull(value) {
			continue
		}
		switch string(members[i].Key) {
		case "model":
			l.model = value
		case "created_at":
			l.created = value
		case "message":
			l.answered = jsonedit.IsObject(value)
			l.message(value)
		case "response":
			l.text, l.answered = value, true
		case "thinking":
			l.thinking = value
		case "tool_calls":
			l.calls = value
		case "logprobs":
			l.logprobs = value
		case "done":
			l.settled = jsonedit.IsTrue(value)
		case "done_reason":
			l.reason = value
		case "prompt_eval_count":
			l.read = value
		case "eval_count":
			l.written = value
		case "error":
			l.failure = value
		}
	}
	return nil
}

func (l *line) message(object []byte) {
	var space [8]jsonedit.Member
	members, _ := jsonedit.Object(object, space[:0])
	for i := range members {
		switch value := members[i].Value; string(members[i].Key) {
		case "content":
			l.text = value
		case "thinking":
			l.thinking = value
		case "tool_calls":
			l.calls = value
		}
	}
}

// usage reads the counters, which the last line has, and says whether there
// are any: a prompt that was cached whole may have none of its own.
func (l *line) usage(u *chat.Usage) bool {
	read, okRead := jsonedit.Int(l.read)
	written, okWritten := jsonedit.Int(l.written)
	if okRead {
		u.Prompt = max(read, 0)
	}
	if okWritten {
		u.Completion = max(written, 0)
	}
	return okRead || okWritten
}

// finish says why the answer ended, "" when it has not. Older servers say no
// more than that it is done. A stop after calls is what OpenAI has a
// word of its own for.
func (l *line) finish(called bool) chat.FinishReason {
	if !l.settled {
		return ""
	}
	reason, _ := jsonedit.String(l.reason)
	switch reason {
	case "", "stop", "load", "unload": // the latter where there was no prompt
		if called {
			return chat.ToolCalls
		}
		return chat.Stop
	}
	return chat.FinishReason(reason)
}

// createdAt is when the answer was made, in unix seconds, or 0.
func (l *line) createdAt() int64 {
	text, _ := jsonedit.String(l.created)
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0
	}
	return t.Unix()
}

// err is what the server says went wrong, nil when it does not.
func (l *line) err() *chat.Error {
	if l.failure == nil {
		return nil
	}
	message, ok := jsonedit.String(l.failure)
	if !ok {
		message, _ = jsonedit.String(jsonedit.Lookup(l.failure, "message"))
	}
	if message == "" {
		message = "the provider sent an error without a message"
	}
	return &chat.Error{Message: message}
}

// call is a function call: the name as a JSON string, the arguments as an
// object. https://docs.ollama.com/capabilities/tool-calling
type call struct{ id, name, arguments []byte }

// eachCall calls f for each of the calls in order.
func (l *line) eachCall(f func(c call)) {
	if !jsonedit.IsArray(l.calls) {
		return
	}
	var space [8][]byte
	list, _ := jsonedit.Array(l.calls, space[:0])
	for _, v := range list {
		c := call{id: jsonedit.Lookup(v, "id")}
		function := jsonedit.Lookup(v, "function")
		c.name = jsonedit.Lookup(function, "name")
		c.arguments = jsonedit.Lookup(function, "arguments")
		f(c)
	}
}

// argumentText is the text of the arguments: as they were written, since the
// client must get the same numbers. Some servers of the format put the text in
// a string, as OpenAI does.
func (c *call) argumentText(dst []byte) []byte {
	switch {
	case jsonedit.IsString(c.arguments):
		dst, _ = jsonedit.AppendUnquoted(dst, c.arguments)
	case jsonedit.IsObject(c.arguments):
		dst = append(dst, c.arguments...)
	default:
		dst = append(dst, "{}"...)
	}
	return dst
}

// answer reads the answers of both formats.
type answer struct{}

// ParseResponse implements chat.Upstream. The answer has no id, and older
// servers give none to calls either: both are left to who writes the answer.
func (answer) ParseResponse(_ *target.Target, body []byte) (*chat.Response, error) {
	var l line
	if err := l.parse(body); err != nil {
		return nil, &chat.ResponseError{Message: "failed to decode ollama response"}
	}
	if e := l.err(); e != nil {
		return nil, &chat.ResponseError{Message: e.Message}
	}
	if !l.answered {
		return nil, &chat.ResponseError{Message: "neither 'message' nor 'response' in ollama response"}
	}
	r := &chat.Response{Created: l.createdAt()}
	r.Model, _ = jsonedit.String(l.model)
	r.NoUsage = !l.usage(&r.Usage)
	var c chat.Choice
	if text, _ := jsonedit.String(l.thinking); text != "" {
		c.Parts = append(c.Parts, chat.Part{Kind: chat.Thinking, Text: jsonedit.Plain(text)})
	}
	if text, _ := jsonedit.String(l.text); text != "" {
		c.Parts = append(c.Parts, chat.Part{Kind: chat.Text, Text: jsonedit.Plain(text)})
	}
	called := false
	l.eachCall(func(f call) {
		called = true
		p := chat.Part{Kind: chat.ToolCall, Arguments: jsonedit.Plain(string(f.argumentText(nil)))}
		p.ID, _ = jsonedit.String(f.id)
		p.Name, _ = jsonedit.String(f.name)
		c.Parts = append(c.Parts, p)
	})
	if jsonedit.IsArray(l.logprobs) {
		c.Logprobs = appendLogprobs(nil, l.logprobs)
	}
	c.Finish = l.finish(called)
	r.Choices = []chat.Choice{c}
	return r, nil
}

// appendLogprobs writes OpenAI's object around the list, whose elements are
// the same in both.
func appendLogprobs(dst, list []byte) []byte {
	return append(append(append(dst, `{"content":`...), list...), `,"refusal":null}`...)
}
