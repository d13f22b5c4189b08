package cohere

import (
	"slices"

	"fmt"
	"math"
	"strconv"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// finishReasons maps finish_reason of all versions.
var finishReasons = chat.FinishReasons{
	"COMPLETE":      chat.Stop,
	"STOP_SEQUENCE": chat.Stop,
	"TIMEOUT":       chat.Failed,
	"USER_CANCEL":   chat.Stop,
	"ERROR":         chat.Failed,
	"MAX_TOKENS":    chat.Length,
	"ERROR_LIMIT":   chat.Length, // the context is full
	"TOOL_CALL":     chat.ToolCalls,
	"ERROR_TOXIC":   chat.ContentFilter,
}

// parseAnswer reads a whole answer of any version: message is in version 2's, text in
// version 1's, and generations in Generate's.
func parseAnswer(t *target.Target, body []byte) (*chat.Response, error) {
	p := jsonedit.Parsers.Get()
	defer jsonedit.Parsers.Put(p)
	v, err := p.Parse(body)
	if err != nil {
		return nil, &chat.ResponseError{Message: fmt.Sprintf("failed to decode %s response", t.Route)}
	}
	r := &chat.Response{}
	switch message := v.Get("message"); {
	case message != nil && message.Type() == jsonedit.TypeObject:
		if err := parseMessage(r, v, message); err != nil {
			return nil, err
		}
	case v.Has("text"):
		parseText(r, v)
	case v.Has("generations"):
		parseGenerations(r, v)
	default:
		return nil, &chat.ResponseError{Message: "'text' or 'generations' missing from cohere response body"}
	}
	r.NoUsage = !readUsage(&r.Usage, v)
	return r, nil
}

// parseMessage reads an answer of version 2. The tool_plan, which the model writes
// before it calls tools and after it has thought, is text for the client.
func parseMessage(r *chat.Response, v, message *jsonedit.Value) error {
	c := chat.Choice{Finish: finishReasons.Of(v.GetStringBytes("finish_reason")), Logprobs: logprobs(v.GetArray("logprobs"))}
	var cites citing
	plan := message.GetString("tool_plan")
	cites.say([]byte(plan))
	if s := message.GetStringBytes("content"); len(s) > 0 {
		c.Parts = append(c.Parts, chat.Part{Kind: chat.Text, Text: jsonedit.Plain(string(s))})
		cites.begin(0, true)
	}
	for i, b := range message.GetArray("content") {
		switch b.GetString("type") {
		case "text":
			cites.begin(i, true)
			cites.say(b.GetStringBytes("text"))
			c.Parts = append(c.Parts, chat.Part{Kind: chat.Text, Text: b.GetText("text")})
		case "thinking":
			c.Parts = append(c.Parts, chat.Part{Kind: chat.Thinking, Text: b.GetText("thinking")})
		}
	}
	if plan != "" {
		thought := slices.IndexFunc(c.Parts, func(p chat.Part) bool { return p.Kind != chat.Thinking })
		if thought < 0 {
			thought = len(c.Parts)
		}
		c.Parts = slices.Insert(c.Parts, thought, chat.Part{Kind: chat.Text, Text: jsonedit.Plain(plan)})
	}
	for _, call := range message.GetArray("tool_calls") {
		arguments := call.GetString("function", "arguments")
		if arguments == "" {
			arguments = "{}"
		}
		c.Parts = append(c.Parts, chat.Part{Kind: chat.ToolCall, ID: call.GetString("id"), Name: call.GetString("function", "name"), Arguments: jsonedit.Plain(arguments)})
	}
	if len(c.Parts) == 0 && v.GetString("finish_reason") == "ERROR" {
		return &chat.ResponseError{Message: "the model failed and said nothing (finish_reason ERROR)"}
	}
	c.Citations = cites.cite(message.Get("citations"), nil)
	r.ID = v.GetString("id")
	r.Choices = []chat.Choice{c}
	r.Extra = citations(message)
	return nil
}

// parseText reads an answer of version 1. Its calls have no ids, and it may have no
// finish reason: a whole answer is complete.
func parseText(r *chat.Response, v *jsonedit.Value) {
	c := chat.Choice{Finish: finishReasons.Of(v.GetStringBytes("finish_reason"))}
	if s := v.GetString("text"); s != "" {
		c.Parts = append(c.Parts, chat.Part{Kind: chat.Text, Text: jsonedit.Plain(s)})
	}
	calls := v.GetArray("tool_calls")
	for _, call := range calls {
		c.Parts = append(c.Parts, chat.Part{Kind: chat.ToolCall, Name: call.GetString("name"), Arguments: jsonedit.Plain(string(appendParameters(nil, call)))})
	}
	c.Finish = finishV1(c.Finish, len(calls) > 0)
	var cites citing
	c.Citations = cites.cite(v.Get("citations"), v.GetArray("documents"))
	r.ID = v.GetString("generation_id")
	r.Choices = []chat.Choice{c}
	r.Extra = citations(v)
}

// finishV1 returns the reason of a complete answer. Version 1 has no reason for
// calls, and may have none at all.
func finishV1(reason chat.FinishReason, calls bool) chat.FinishReason {
	if reason == "" {
		reason = chat.Stop
	}
	if calls && reason == chat.Stop {
		return chat.ToolCalls
	}
	return reason
}

// appendParameters writes the arguments of a call of version 1, an object.
func appendParameters(dst []byte, call *jsonedit.Value) []byte {
	if !call.Has("parameters") {
		return append(dst, "{}"...)
	}
	return jsonedit.AppendValue(dst, call.Get("parameters"))
}

func parseGenerations(r *chat.Response, v *jsonedit.Value) {
	r.ID = v.GetString("id")
	for i, g := range v.GetArray("generations") {
		c := chat.Choice{Index: i, Finish: finishV1(finishReasons.Of(g.GetStringBytes("finish_reason")), false)}
		if s := g.GetString("text"); s != "" {
			c.Parts = []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain(s)}}
		}
		r.Choices = append(r.Choices, c)
	}
}

// citations returns the citations of v, for clients that know them.
func citations(v *jsonedit.Value) []chat.Member {
	if len(v.GetArray("citations")) == 0 {
		return nil
	}
	return []chat.Member{{Name: "citations", Value: jsonedit.AppendValue(nil, v.Get("citations"))}}
}

// logprobs turns Cohere's items, each of which is a text of one or several tokens,
// into OpenAI's. It returns nil if there are none.
func logprobs(items []*jsonedit.Value) chat.Raw {
	if len(items) == 0 {
		return nil
	}
	dst := []byte(`{"content":[`)
	for _, item := range items {
		dst = jsonedit.AppendComma(dst)
		dst = appendLogprob(dst, item)
	}
	return append(dst, "]}"...)
}

func appendLogprob(dst []byte, item *jsonedit.Value) []byte {
	sum := 0.0
	for _, l := range item.GetArray("logprobs") {
		sum += l.GetFloat64()
	}
	dst = jsonedit.AppendBytes(append(dst, `{"token":`...), item.GetStringBytes("text"))
	dst = strconv.AppendFloat(append(dst, `,"logprob":`...), finite(sum), 'g', -1, 64)
	return append(dst, `,"bytes":null,"top_logprobs":[]}`...)
}

// finite returns f, or a finite number for 1e999, which the parser accepts.
func finite(f float64) float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return -9999 // OpenAI's "very unlikely"
	}
	return f
}

// readUsage replaces the counters of u by those of an answer and reports whether it
// has any: the billed tokens, or else the counted ones. Version 2 has them in usage,
// the others in meta or, before that, in token_count.
//
// Tokens of Cohere's own preamble are counted but not billed.
func readUsage(u *chat.Usage, v *jsonedit.Value) bool {
	from := v.Get("usage")
	if from == nil || from.Type() != jsonedit.TypeObject {
		from = v.Get("meta")
	}
	billed, counted := from.Get("billed_units"), from.Get("tokens")
	units := chat.Counter(&u.SearchUnits, billed.Get("search_units"))
	found := setBoth(u, billed.Get("input_tokens"), billed.Get("output_tokens")) ||
		setBoth(u, counted.Get("input_tokens"), counted.Get("output_tokens"))
	if !found {
		count := v.Get("token_count")
		found = setBoth(u, count.Get("prompt_tokens"), count.Get("response_tokens"))
	}
	if found && chat.Counter(&u.Cached, from.Get("cached_tokens")) {
		u.Cached = min(u.Cached, u.Prompt)
	}
	return found || units
}

func setBoth(u *chat.Usage, prompt, completion *jsonedit.Value) bool {
	found := chat.Counter(&u.Prompt, prompt)
	return chat.Counter(&u.Completion, completion) || found
}
