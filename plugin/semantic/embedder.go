package semantic

import (
	"context"
	"errors"
	"strings"

	"go-ai-proxy/translators/jsonedit"
)

// Embedder returns an Embed that uses an embedding model: ask sends a request and
// returns the answer, both in OpenAI's format. Its errors must not quote the request.
func Embedder(ask func(ctx context.Context, request []byte) (answer []byte, err error)) Embed {
	return func(ctx context.Context, text string) ([]float32, error) {
		answer, err := ask(ctx, append(jsonedit.AppendText([]byte{'{'}, "input", text), '}'))
		if err != nil {
			return nil, err
		}
		return parseEmbedding(answer)
	}
}

func parseEmbedding(answer []byte) ([]float32, error) {
	var p jsonedit.Parser
	root, err := p.Parse(answer)
	if err != nil {
		return nil, errors.New("the embedding model's answer is not JSON")
	}
	numbers := root.GetArray("data", "0", "embedding")
	if len(numbers) == 0 {
		return nil, errors.New("the embedding model's answer has no data[0].embedding")
	}
	v := make([]float32, len(numbers))
	for i, n := range numbers {
		f, err := n.Float64()
		if err != nil {
			return nil, errors.New("the embedding model's answer has something in data[0].embedding that is no number")
		}
		v[i] = float32(f)
	}
	return v, nil
}

// maxPrompt is the longest text that is embedded, in bytes, since models take a few
// thousand tokens. The end of a conversation says best what it is about now.
const maxPrompt = 16 << 10

// clip returns the end of a prompt, which is embedded.
func clip(prompt string) string {
	return strings.ToValidUTF8(prompt[max(0, len(prompt)-maxPrompt):], "")
}
