package anthropic

import (
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// complete is the legacy Text Completions API: the prompt is a conversation of Human
// and Assistant. https://platform.claude.com/docs/en/api/completions/create
type complete struct{}

// AppendRequest writes the messages as a prompt that the assistant continues.
func (complete) AppendRequest(dst []byte, t *target.Target, r *chat.Request) ([]byte, error) {
	prompt, err := transcript(r.Messages)
	if err != nil {
		return nil, err
	}
	dst = append(dst, `{"model":`...)
	dst = jsonedit.AppendString(dst, t.Model)
	dst = jsonedit.AppendText(dst, "prompt", prompt)
	limit := r.MaxTokens
	if limit == "" {
		limit = chat.Number(strconv.Itoa(modelOf(t.Model).defaultLimit(r.Stream, 0)))
	}
	dst = jsonedit.AppendRaw(dst, "max_tokens_to_sample", limit)
	temperature := r.Temperature
	if f, ok := temperature.Float(); ok && f > 1 {
		temperature = "1"
	}
	for _, n := range []struct {
		name  string
		value chat.Number
	}{{"temperature", temperature}, {"top_p", r.TopP}, {"top_k", r.TopK}} {
		dst = jsonedit.AppendRaw(dst, n.name, n.value)
	}
	dst = jsonedit.AppendTexts(dst, "stop_sequences", r.StopsNotBlank())
	if r.User != "" {
		dst = append(dst, `,"metadata":{"user_id":`...)
		dst = append(jsonedit.AppendString(dst, r.User), '}')
	}
	return append(dst, `,"stream":false}`...), nil
}

func transcript(msgs []chat.Message) (string, error) {
	var b strings.Builder
	for i := range msgs {
		name := map[chat.Role]string{chat.User: "Human: ", chat.Assistant: "Assistant: "}[msgs[i].Role]
		for j := range msgs[i].Parts {
			p := &msgs[i].Parts[j]
			if p.Kind != chat.Text {
				return "", &chat.RequestError{Field: chat.PartField(i, j), Message: "a completion takes text only"}
			}
			if j == 0 {
				b.WriteString(name)
			}
			b.WriteString(p.Text.String())
		}
		b.WriteString("\n\n")
	}
	b.WriteString("Assistant:")
	return b.String(), nil
}

// ParseResponse reads a completion. It has no usage.
func (complete) ParseResponse(t *target.Target, body []byte) (*chat.Response, error) {
	p := jsonedit.Parsers.Get()
	defer jsonedit.Parsers.Put(p)
	v, err := parseBody(p, t, body)
	if err != nil {
		return nil, err
	}
	if !v.Has("completion") {
		// Kong's text, which names chat here, too.
		return nil, &chat.ResponseError{Message: "'completion' not in anthropic://llm/v1/chat response"}
	}
	return &chat.Response{
		ID:      v.GetString("id"),
		Model:   v.GetString("model"),
		NoUsage: true,
		Choices: []chat.Choice{{
			Parts:    []chat.Part{{Kind: chat.Text, Text: v.GetText("completion")}},
			Finish:   finishReasons.Of(v.GetStringBytes("stop_reason")),
			StopText: v.GetString("stop"),
		}},
	}, nil
}

// NewStream is never called: the operation is marked NoStream.
func (complete) NewStream(*target.Target) chat.Stream { return noStream{} }

type noStream struct{}

func (noStream) Next(frame.Event) ([]chat.Delta, error) {
	return nil, &chat.ResponseError{Message: "/v1/complete is not streamed"}
}

// completeFields holds the rules for the fields of an OpenAI completions request.
var completeFields = provider.Fields{
	"model":             provider.Mapped.With("model"),
	"prompt":            provider.Mapped.With("prompt, as one turn of Human"),
	"max_tokens":        provider.Mapped.With("max_tokens_to_sample: the most that the model writes when not given"),
	"temperature":       provider.Mapped.With("temperature, at most 1"),
	"top_p":             provider.Mapped.With("top_p"),
	"top_k":             provider.Mapped.With("top_k"),
	"stop":              provider.Mapped.With("stop_sequences"),
	"user":              provider.Mapped.With("metadata.user_id"),
	"extra_body":        provider.Mapped.With("merged into the body"),
	"stream":            provider.Refused.With("the legacy API is not streamed here"),
	"best_of":           provider.Dropped.With("no such setting"),
	"echo":              provider.Dropped.With("no such setting"),
	"frequency_penalty": provider.Dropped.With("no such setting"),
	"logit_bias":        provider.Dropped.With("no such setting"),
	"logprobs":          provider.Dropped.With("no such setting"),
	"n":                 provider.Dropped.With("one answer per request"),
	"presence_penalty":  provider.Dropped.With("no such setting"),
	"seed":              provider.Dropped.With("no such setting"),
	"stream_options":    provider.Dropped.With("the legacy API is not streamed here"),
	"suffix":            provider.Dropped.With("no such setting"),
}
