package openai

import (
	"slices"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/target"
)

// ParseResponse implements chat.Upstream. It takes what the providers that
// copied the format made of it: "reasoning", and content in parts.
func (Upstream) ParseResponse(t *target.Target, body []byte) (*chat.Response, error) {
	p := jsonedit.Parsers.Get()
	defer jsonedit.Parsers.Put(p)
	v, err := p.Parse(body)
	if err != nil || v.Type() != jsonedit.TypeObject {
		return nil, &chat.ResponseError{Message: "failed to decode " + string(t.Route) + " response"}
	}
	choices := v.Get("choices")
	if len(choices.GetArray()) == 0 || v.Exists("error") || slices.ContainsFunc(choices.GetArray(), hasError) {
		if e := chat.ErrorInside(body); e != nil {
			return nil, e
		}
	}
	if choices == nil {
		return nil, &chat.ResponseError{Message: "'choices' not in " + string(t.Route) + " response"}
	}
	if len(choices.GetArray()) == 0 { // https://github.com/pydantic/pydantic-ai/issues/7909
		return nil, &chat.ResponseError{Message: "'choices' is empty in " + string(t.Route) + " response"}
	}
	resp := &chat.Response{
		ID: v.GetString("id"), Model: v.GetString("model"), Created: int64(v.GetInt("created")),
		SystemFingerprint: v.GetString("system_fingerprint"), ServiceTier: v.GetString("service_tier"),
	}
	for i, c := range choices.GetArray() {
		var sources chat.Citations
		answer := v
		if i > 0 {
			answer = nil // its lists are the first choice's
		}
		choice := readChoice(c)
		choice.Citations = readSources(&sources, answer, c.Get("message"))
		resp.Choices = append(resp.Choices, choice)
	}
	usage := v.Get("usage")
	resp.NoUsage = usage == nil || !ReadUsage(jsonedit.AppendValue(nil, usage), &resp.Usage)
	return resp, nil
}

// textOf returns the member called key as text: it is a string, or parts with text.
func textOf(v *jsonedit.Value, key string) []byte {
	m := v.Get(key)
	if m == nil {
		return nil
	}
	if m.Type() == jsonedit.TypeString {
		return m.GetStringBytes()
	}
	var all []byte
	for _, part := range m.GetArray() {
		all = append(all, part.GetStringBytes("text")...)
	}
	return all
}

// thinkingOf returns the thinking of a message or delta, under any of its names.
func thinkingOf(v *jsonedit.Value) []byte {
	for _, key := range [...]string{"reasoning_content", "reasoning"} {
		if b := v.GetStringBytes(key); len(b) > 0 {
			return b
		}
	}
	var all []byte
	for _, part := range v.GetArray("content") {
		all = append(append(all, textOf(part, "summary")...), textOf(part, "thinking")...)
	}
	return all
}

// signatureOf is the signature of the thinking of a message or delta: Databricks has
// Claude's beside the text.
// https://docs.databricks.com/aws/en/machine-learning/model-serving/query-reason-models
func signatureOf(v *jsonedit.Value) []byte {
	for _, part := range v.GetArray("content") {
		for _, s := range part.GetArray("summary") {
			if signature := s.GetStringBytes("signature"); len(signature) > 0 {
				return signature
			}
		}
	}
	return nil
}

// finishes are other names of finish reasons than OpenAI's.
var finishes = map[string]chat.FinishReason{
	// https://docs.djl.ai/master/docs/serving/serving/docs/lmi/user_guides/chat_input_output_schema.html#choice
	"eos_token": chat.Stop, "stop_sequence": chat.Stop,
	// https://docs.mistral.ai/api/endpoint/chat ("error" is chat.Failed)
	"model_length": chat.Length,
	// https://api-docs.deepseek.com/api/create-chat-completion
	"insufficient_system_resource": chat.Failed, "repetition_truncation": chat.Length,
	// https://docs.z.ai/api-reference/llm/chat-completion
	"sensitive": chat.ContentFilter, "network_error": chat.Failed, "model_context_window_exceeded": chat.Length,
	// https://docs.vllm.ai/en/latest/api/vllm/v1/engine (FinishReason)
	"abort": chat.Failed,
	// Names of Anthropic's, which servers before Claude leave as they are.
	"end_turn": chat.Stop, "max_tokens": chat.Length, "tool_use": chat.ToolCalls, "refusal": chat.ContentFilter,
}

// Finish returns the finish reason with OpenAI's name for it.
func Finish(reason string) chat.FinishReason {
	if known, ok := finishes[reason]; ok {
		return known
	}
	return chat.FinishReason(reason)
}

func readChoice(c *jsonedit.Value) chat.Choice {
	reason := c.GetString("finish_reason")
	choice := chat.Choice{Index: c.GetInt("index"), Finish: Finish(reason)}
	if choice.Finish == chat.Failed {
		choice.StopText = reason
	}
	if l := c.Get("logprobs"); l != nil && l.Type() == jsonedit.TypeObject {
		choice.Logprobs = jsonedit.AppendValue(nil, l)
	}
	m := c.Get("message")
	if m == nil {
		return choice
	}
	add := func(kind chat.PartKind, text jsonedit.Text) {
		if !text.Empty() {
			choice.Parts = append(choice.Parts, chat.Part{Kind: kind, Text: text})
		}
	}
	if thought, signature := thinkingOf(m), signatureOf(m); len(thought) > 0 || len(signature) > 0 {
		choice.Parts = append(choice.Parts, chat.Part{Kind: chat.Thinking, Text: jsonedit.Plain(string(thought)), Signature: string(signature)})
	}
	choice.Parts = append(choice.Parts, ranTools(m)...)
	if content := m.Get("content"); content.Type() == jsonedit.TypeString {
		add(chat.Text, content.Text())
	} else {
		add(chat.Text, jsonedit.PlainBytes(textOf(m, "content")))
	}
	add(chat.Refusal, m.GetText("refusal"))
	for _, call := range m.GetArray("tool_calls") {
		choice.Parts = append(choice.Parts, chat.Part{
			Kind: chat.ToolCall, ID: call.GetString("id"),
			Name: string(call.GetStringBytes("function", "name")), Arguments: argumentsOf(call),
			Signature: string(call.GetStringBytes("extra_content", "google", "thought_signature")), Origin: origin.Google,
		})
	}
	return choice
}

// argumentsOf returns the arguments of a call: JSON in a string, or, from some servers, the
// object itself.
func argumentsOf(call *jsonedit.Value) jsonedit.Text {
	if v := call.Get("function", "arguments"); v.Type() == jsonedit.TypeObject {
		return jsonedit.PlainBytes(jsonedit.AppendValue(nil, v))
	}
	return call.GetText("function", "arguments")
}

func readErrorValue(v *jsonedit.Value) *chat.Error {
	if v.Type() == jsonedit.TypeString {
		return &chat.Error{Message: string(v.GetStringBytes())}
	}
	e := readError(jsonedit.AppendValue(nil, v))
	if e == nil {
		e = &chat.Error{Message: "the provider sent an error without a message"}
	}
	return e
}
