package ollama

import (
	"time"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// line is a whole answer, or one line of a streamed one. The two formats differ only
// in the place of the text. Its values are raw JSON that aliases the bytes that were
// read; nil means absent.
type line struct {
	model, created    []byte
	text, thinking    []byte
	calls, logprobs   []byte
	reason            []byte
	read, written     []byte // prompt_eval_count and eval_count
	failure           []byte
	answered, settled bool // there is a message or a response; it is done
}

// parse reads data. It only allocates for objects with many members.
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

// usage reads the counters, which the last line has, and reports whether there are
// any. A prompt that is completely cached may have no counter.
func (l *line) usage(u *chat.Usage) bool {
	read, written := chat.CounterIn(&u.Prompt, l.read), chat.CounterIn(&u.Completion, l.written)
	return read || written
}

// finish returns the finish reason, or "" if the answer has not ended. Older servers
// only say that it is done. A stop after calls becomes OpenAI's tool_calls.
func (l *line) finish(called bool) chat.FinishReason {
	if !l.settled {
		return ""
	}
	reason, _ := jsonedit.String(l.reason)
	switch reason {
	case "", "stop", "load", "unload": // load and unload if there was no prompt
		if called {
			return chat.ToolCalls
		}
		return chat.Stop
	}
	return chat.FinishReason(reason)
}

// createdAt returns the time of the answer, in unix seconds, or 0.
func (l *line) createdAt() int64 {
	text, _ := jsonedit.String(l.created)
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0
	}
	return t.Unix()
}

// err returns the server's error, or nil.
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

// argumentText appends the text of the arguments unchanged, so that the client gets
// the same numbers. Some servers have the text in a string, as OpenAI does.
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

// appendLogprobs writes OpenAI's object with the list, whose elements are the same in
// both formats.
func appendLogprobs(dst, list []byte) []byte {
	return append(append(append(dst, `{"content":`...), list...), `,"refusal":null}`...)
}
