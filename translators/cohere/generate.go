package cohere

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// generate is the legacy Generate API: a prompt that the model continues.
// https://docs.cohere.com/v1/reference/generate
type generate struct{}

// nativesGenerate lists members of Generate that the internal form has no field for.
var nativesGenerate = []string{"preset", "raw_prompting", "truncate"}

// AppendRequest implements chat.Upstream. Several messages are paragraphs of
// one prompt.
func (generate) AppendRequest(dst []byte, t *target.Target, r *chat.Request) ([]byte, error) {
	if err := oneKind(r); err != nil {
		return nil, err
	}
	prompt, err := chat.Prompt(r.Messages)
	if err != nil {
		return nil, err
	}
	dst = jsonedit.AppendString(append(dst, `{"model":`...), t.Model)
	dst = jsonedit.AppendText(dst, "prompt", prompt)
	dst = jsonedit.AppendBool(dst, "stream", r.Stream)
	dst = jsonedit.AppendRaw(dst, "max_tokens", r.MaxTokens)
	dst = jsonedit.AppendRaw(dst, "temperature", r.Temperature)
	dst = jsonedit.AppendRaw(dst, "num_generations", r.N)
	dst = jsonedit.AppendRaw(dst, "p", r.TopP)
	dst = appendSampling(dst, r)
	dst = jsonedit.AppendTexts(dst, "end_sequences", r.Stop)
	return append(chat.AppendExtra(dst, r, nativesGenerate...), '}'), nil
}

// ParseResponse implements chat.Upstream.
func (generate) ParseResponse(t *target.Target, body []byte) (*chat.Response, error) {
	return parseAnswer(t, body)
}

// NewStream implements chat.Upstream.
func (generate) NewStream(*target.Target) chat.Stream { return &stream{} }
