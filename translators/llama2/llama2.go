// Package llama2 is self-hosted servers of Llama 2 models, and implements the raw
// format of their endpoints (llama2_format "raw"). A request is a prompt in the
// model's own template; an answer is the text, preceded by the prompt. There are no
// streams, no tools and no token counts.
//
// Start with Provider, in provider.go; then rawProvider, and prompt.go for the template.
package llama2

import (
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// rawProvider is an endpoint of the raw format. Its path is that of upstream_url: such
// endpoints have no path in common.
var rawProvider = provider.Provider{
	Name: "llama2",
	Operations: map[route.Type]*provider.Operation{
		route.Chat:        {Path: root, Format: provider.Llama2Raw, Chat: Chat, Fields: Fields, NoStream: true},
		route.Completions: {Path: root, Format: provider.Llama2Raw, Chat: Complete, Fields: completeFields, NoStream: true},
	},
}

func root(*target.Target, bool) (string, error) { return "/", nil }

// The two formats of requests. Answers are the same.
var (
	// Chat makes a prompt of messages.
	Chat chat.Upstream = raw{transcript}
	// Complete makes a prompt of a completions request's prompt.
	Complete chat.Upstream = raw{instruction}
)

// raw is the format, with the template for the prompt.
type raw struct {
	template func([]chat.Message) (string, error)
}

// AppendRequest writes {"inputs":…,"parameters":{…}}.
func (f raw) AppendRequest(dst []byte, _ *target.Target, r *chat.Request) ([]byte, error) {
	const instead = "; llama2_format ollama or openai can"
	switch {
	case r.Stream:
		return nil, &chat.RequestError{Field: "stream", Message: "the raw format cannot stream" + instead}
	case len(r.Tools) > 0:
		return nil, &chat.RequestError{Field: "tools", Message: "the raw format knows no tools or functions" + instead}
	case strings.HasPrefix(r.ResponseFormat.Type, "json"):
		return nil, &chat.RequestError{Field: "response_format", Message: "the raw format has text only" + instead}
	}
	prompt, err := f.template(r.Messages)
	if err != nil {
		return nil, err
	}
	dst = jsonedit.AppendString(append(dst, `{"inputs":`...), prompt)
	dst = append(dst, `,"parameters":{`...)
	for _, n := range [...]struct {
		name  string
		value chat.Number
	}{{"max_new_tokens", r.MaxTokens}, {"top_p", r.TopP}, {"top_k", r.TopK}, {"temperature", r.Temperature}} {
		if n.value != "" {
			dst = append(append(append(dst, '"'), n.name...), '"', ':')
			dst = append(append(dst, n.value...), ',')
		}
	}
	return append(dst, `"stream":false}}`...), nil
}

// What Kong answers for a 200 that cannot be understood.
var (
	errSyntax  = &chat.ResponseError{Message: "failed to decode llama2 response"}
	errShape   = &chat.ResponseError{Message: "cannot parse response from llama2 endpoint"}
	errEmpty   = &chat.ResponseError{Message: "response data is empty from llama2 endpoint"}
	errNoReply = &chat.ResponseError{Message: "response did not contain a system reply"}
)

// ParseResponse reads {"data":[{"generated_text":…}]}. The reply is the text after
// the last instruction. There is no finish reason.
func (raw) ParseResponse(_ *target.Target, body []byte) (*chat.Response, error) {
	members, err := jsonedit.Object(body, nil)
	if err != nil {
		return nil, errSyntax
	}
	data, err := jsonedit.Array(jsonedit.Find(members, "data"), nil)
	switch {
	case err != nil, len(data) > 1:
		return nil, errShape
	case len(data) == 0:
		return nil, errEmpty
	}
	text, ok := jsonedit.String(jsonedit.Lookup(data[0], "generated_text"))
	if !ok {
		return nil, errNoReply
	}
	if i := strings.LastIndex(text, endOfInstruction); i >= 0 {
		text = text[i+len(endOfInstruction):]
	}
	var parts []chat.Part
	if text = strings.TrimSpace(text); text != "" {
		parts = []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain(text)}}
	}
	return &chat.Response{NoUsage: true, Choices: []chat.Choice{{Parts: parts}}}, nil
}

// NewStream is never called: the operations are marked NoStream.
func (raw) NewStream(*target.Target) chat.Stream { return noStream{} }

type noStream struct{}

func (noStream) Next(frame.Event) ([]chat.Delta, error) {
	return nil, &chat.ResponseError{Message: "the raw format is not streamed"}
}
