package bedrock

import (
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// ParseResponse reads the answer of Converse.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_ResponseSyntax
func (converse) ParseResponse(t *target.Target, body []byte) (*chat.Response, error) {
	p := jsonedit.Parsers.Get()
	defer jsonedit.Parsers.Put(p)
	v, err := p.Parse(body)
	if err != nil {
		return nil, &chat.ResponseError{Message: "failed to decode response from Bedrock"}
	}
	message := v.Get("output", "message")
	silent := v.Exists("output") && (message == nil || message.Type() == jsonedit.TypeNull) && v.GetString("stopReason") != ""
	if !silent && (message == nil || message.Type() != jsonedit.TypeObject) {
		return nil, &chat.ResponseError{Message: "no generation candidates received from Bedrock, or max_tokens too short"}
	}
	// The API's answers have no model and no id, so the model is the configured one.
	r := &chat.Response{Model: t.Model, Extra: extras(v)}
	c := chat.Choice{Finish: finishReason(v.GetStringBytes("stopReason"))}
	if c.Finish == chat.Failed {
		c.StopText = v.GetString("stopReason")
	}
	formatted, calls := false, 0
	var parts chat.Joiner
	var cites chat.BlockCitations
	var ran runs
	places := map[*chat.Run]int{}
	for _, b := range message.GetArray("content") { // may be empty if the model ended its turn without text
		if run := ran.begin(b.Get("toolUse"), nil); run != nil {
			places[run] = len(parts.Parts())
			parts.Add(chat.Part{Kind: chat.HostedRun, Run: run})
			continue
		} else if run, token := ran.end(b.Get("toolResult"), nil); run != nil {
			parts.Parts()[places[run]].Signature = token
			continue
		}
		p, ok := parseBlock(b)
		switch {
		case !ok:
			continue
		case p.Kind == chat.ToolCall && p.Name == formatTool:
			formatted, p = true, chat.Part{Kind: chat.Text, Text: p.Arguments}
		case p.Kind == chat.ToolCall:
			calls++
		}
		if p.Kind != chat.Text {
			parts.Add(p)
			continue
		}
		parts.Join(p)
		cites.Say([]byte(p.Text.String()))
		for _, v := range b.GetArray("citationsContent", "citations") {
			cites.Cite(citation(v))
		}
		cites.End()
	}
	c.Parts, c.Citations = parts.Parts(), cites.List
	if (formatted || len(places) > 0) && calls == 0 && c.Finish == chat.ToolCalls {
		c.Finish = chat.Stop
	}
	c.StopText = v.GetString("additionalModelResponseFields", "stop_sequence")
	r.Choices = []chat.Choice{c}
	r.NoUsage = !readUsage(&r.Usage, v.Get("usage"))
	r.ServiceTier = v.GetString("serviceTier", "type")
	r.Usage.ServiceTier = r.ServiceTier
	return r, nil
}

// parseBlock reads a content block of an answer. Blocks of system tools that are not
// known are left out.
func parseBlock(b *jsonedit.Value) (p chat.Part, ok bool) {
	b.GetObject().Visit(func(key []byte, v *jsonedit.Value) {
		switch string(key) {
		case "text":
			p, ok = chat.Part{Kind: chat.Text, Text: v.GetText()}, true
		case "reasoningContent":
			if data := v.GetStringBytes("redactedContent"); data != nil {
				p, ok = chat.Part{Kind: chat.RedactedThinking, Text: jsonedit.Plain(string(data))}, true
			} else {
				p, ok = chat.Part{Kind: chat.Thinking, Text: v.GetText("reasoningText", "text"), Signature: v.GetString("reasoningText", "signature")}, true
			}
		case "toolUse":
			if v.GetString("type") == serverToolUse {
				return
			}
			arguments := rawOf(v.Get("input"))
			if arguments == nil {
				arguments = chat.Raw("{}")
			}
			p, ok = chat.Part{Kind: chat.ToolCall, ID: v.GetString("toolUseId"), Name: v.GetString("name"), Arguments: jsonedit.PlainBytes(arguments)}, true
		case "citationsContent": // the text that has citations
			p, ok = chat.Part{Kind: chat.Text, Text: jsonedit.Plain(textsOf(v.GetArray("content")))}, true
		case "image":
			p, ok = chat.Part{Kind: chat.Image, Media: &chat.Media{MIME: "image/" + v.GetString("format"), Data: v.GetText("source", "bytes")}}, true
		}
	})
	return p, ok
}

// textsOf returns the text of all elements of list.
func textsOf(list []*jsonedit.Value) string {
	var b strings.Builder
	for _, v := range list {
		b.Write(v.GetStringBytes("text"))
	}
	return b.String()
}

// extras returns the members of an answer that a client gets unchanged.
func extras(v *jsonedit.Value) []chat.Member {
	var extra []chat.Member
	for _, name := range [...]string{"trace", "additionalModelResponseFields"} {
		if value := rawOf(v.Get(name)); value != nil {
			extra = append(extra, chat.Member{Name: name, Value: value})
		}
	}
	return extra
}

// finishReason returns OpenAI's finish reason; only guardrail_intervened, which has
// no equivalent, is kept.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_MessageStopEvent.html
func finishReason(stop []byte) chat.FinishReason {
	switch string(stop) {
	case "":
		return ""
	case "max_tokens", "model_context_window_exceeded":
		return chat.Length
	case "tool_use":
		return chat.ToolCalls
	case "content_filtered":
		return chat.ContentFilter
	case "guardrail_intervened":
		return "guardrail_intervened"
	case "malformed_model_output", "malformed_tool_use":
		return chat.Failed
	}
	return chat.Stop // end_turn, stop_sequence, and unknown reasons
}

// readUsage reads Converse's usage and reports whether there is one. inputTokens do
// not include tokens that were read from the cache or written to it; the internal
// form's do.
// https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html
func readUsage(u *chat.Usage, v *jsonedit.Value) bool {
	input := u.Prompt - u.Cached - u.CacheWrite
	found := chat.Counter(&input, v.Get("inputTokens"))
	found = chat.Counter(&u.Completion, v.Get("outputTokens")) || found
	// In Nova's own format, which InvokeModel uses, the names end with "Count".
	if !chat.Counter(&u.Cached, v.Get("cacheReadInputTokens")) {
		chat.Counter(&u.Cached, v.Get("cacheReadInputTokenCount"))
	}
	if !chat.Counter(&u.CacheWrite, v.Get("cacheWriteInputTokens")) {
		chat.Counter(&u.CacheWrite, v.Get("cacheWriteInputTokenCount"))
	}
	for _, d := range v.GetArray("cacheDetails") {
		switch string(d.GetStringBytes("ttl")) {
		case "5m":
			chat.Counter(&u.CacheWrite5m, d.Get("inputTokens"))
		case "1h":
			chat.Counter(&u.CacheWrite1h, d.Get("inputTokens"))
		}
	}
	u.Prompt = input + u.Cached + u.CacheWrite
	return found
}
