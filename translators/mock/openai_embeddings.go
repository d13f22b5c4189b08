package mock

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

func init() { register(openAIEmbeddings{}) }

// openAIEmbeddings is POST …/embeddings.
// https://platform.openai.com/docs/api-reference/embeddings/create
type openAIEmbeddings struct{ openAIErrors }

func (openAIEmbeddings) Name() string { return "openai/embeddings" }

func (openAIEmbeddings) Match(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, "/embeddings")
}

func (openAIEmbeddings) Streamed(*http.Request, []byte) bool { return false }

func (openAIEmbeddings) Check(r *http.Request, body []byte) error {
	if err := checkPost(r); err != nil {
		return err
	}
	var q struct {
		Model          string          `json:"model"`
		Input          json.RawMessage `json:"input"`
		Dimensions     *int            `json:"dimensions"`
		EncodingFormat string          `json:"encoding_format"`
		User           string          `json:"user"`
	}
	if err := decodeStrict(body, &q); err != nil {
		return err
	}
	if q.Model == "" || len(inputs(q.Input)) == 0 {
		return errors.New("model and input are required")
	}
	return nil
}

// inputs are the texts to embed: one, or several. Token numbers are one text,
// or several lists of them.
func inputs(input json.RawMessage) []string {
	var one string
	if json.Unmarshal(input, &one) == nil {
		return []string{one}
	}
	var many []json.RawMessage
	if json.Unmarshal(input, &many) != nil {
		return nil
	}
	texts := make([]string, len(many))
	for i := range many {
		texts[i] = string(many[i])
	}
	if len(texts) > 0 && texts[0][0] != '"' && texts[0][0] != '[' {
		return texts[:1]
	}
	return texts
}

// Whole answers each input with a vector that depends on its length only.
func (openAIEmbeddings) Whole(_ *Scenario, body []byte) []byte {
	var q struct {
		Model      string          `json:"model"`
		Input      json.RawMessage `json:"input"`
		Dimensions int             `json:"dimensions"`
	}
	_ = json.Unmarshal(body, &q) // Check has read it
	if q.Dimensions == 0 {
		q.Dimensions = 4
	}
	var b strings.Builder
	tokens := 0
	b.WriteString(`{"object":"list","data":[`)
	for i, text := range inputs(q.Input) {
		if i > 0 {
			b.WriteByte(',')
		}
		tokens += 1 + len(text)/4
		fmt.Fprintf(&b, `{"object":"embedding","index":%d,"embedding":[`, i)
		for d := range q.Dimensions {
			if d > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, "%.4f", float64((len(text)*(d+3))%17)/17)
		}
		b.WriteString("]}")
	}
	fmt.Fprintf(&b, `],"model":%s,"usage":{"prompt_tokens":%d,"total_tokens":%d}}`, quote(q.Model), tokens, tokens)
	return []byte(b.String())
}

func (e openAIEmbeddings) Stream(s *Scenario, body []byte) (string, [][]byte) {
	return "application/json", [][]byte{e.Whole(s, body)}
}
