package mock

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
)

func init() {
	register(cohereEmbed{})
	register(cohereRerank{})
}

// cohereEmbed is POST /v2/embed. https://docs.cohere.com/reference/embed
type cohereEmbed struct{ cohereErrors }

func (cohereEmbed) Name() string { return "cohere/embed" }

func (cohereEmbed) Match(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/v2/embed") }

func (cohereEmbed) Streamed(*http.Request, []byte) bool { return false }

type cohereEmbedRequest struct {
	Model           string   `json:"model"`
	InputType       string   `json:"input_type"`
	Texts           []string `json:"texts"`
	Images          []string `json:"images"`
	Inputs          []any    `json:"inputs"`
	MaxTokens       *int     `json:"max_tokens"`
	OutputDimension int      `json:"output_dimension"`
	EmbeddingTypes  []string `json:"embedding_types"`
	Truncate        string   `json:"truncate"`
}

func (cohereEmbed) Check(r *http.Request, body []byte) error {
	if err := checkPost(r); err != nil {
		return err
	}
	var q cohereEmbedRequest
	if err := decodeStrict(body, &q); err != nil {
		return fmt.Errorf("invalid request: %w", err)
	}
	kinds := 0
	for _, n := range []int{len(q.Texts), len(q.Images), len(q.Inputs)} {
		if n > 0 {
			kinds++
		}
		if n > 96 {
			return errors.New("invalid request: total number of texts must be at most 96")
		}
	}
	switch {
	case q.Model == "" || q.InputType == "":
		return errors.New("invalid request: model and input_type are required")
	case !slices.Contains([]string{"search_document", "search_query", "classification", "clustering", "image"}, q.InputType):
		return fmt.Errorf("invalid request: input_type %q", q.InputType)
	case kinds != 1:
		return errors.New("invalid request: exactly one of texts, images or inputs must be given")
	case len(q.Images) > 0 != (q.InputType == "image"):
		return errors.New("invalid request: images go with input_type image")
	case q.OutputDimension != 0 && !slices.Contains([]int{256, 512, 1024, 1536}, q.OutputDimension):
		return fmt.Errorf("invalid request: output_dimension %d", q.OutputDimension)
	}
	return nil
}

func (cohereEmbed) Whole(_ *Scenario, body []byte) []byte {
	var q cohereEmbedRequest
	_ = json.Unmarshal(body, &q) // Check has read it
	texts := slices.Concat(q.Texts, q.Images)
	for range q.Inputs {
		texts = append(texts, "input")
	}
	tokens := 0
	for _, t := range texts {
		tokens += 1 + len(t)/4
	}
	vectors, kind := vectorsOf(texts, q.OutputDimension), "float"
	if slices.Contains(q.EmbeddingTypes, "base64") {
		kind = "base64"
		for i := range vectors {
			vectors[i] = quote(base64Vector(vectors[i]))
		}
	}
	return fmt.Appendf(nil, `{"id":"mock-embed","embeddings":{%q:[%s]},"texts":[],"meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":%d}},"response_type":"embeddings_by_type"}`,
		kind, strings.Join(vectors, ","), tokens)
}

// base64Vector is a JSON vector as base64 of its 32-bit numbers.
func base64Vector(vector string) string {
	var numbers []float32
	_ = json.Unmarshal([]byte(vector), &numbers) // the mock's own JSON
	var b []byte
	for _, n := range numbers {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(n))
	}
	return base64.StdEncoding.EncodeToString(b)
}

func (f cohereEmbed) Stream(s *Scenario, body []byte) (string, [][]byte) {
	return "application/json", [][]byte{f.Whole(s, body)}
}

func (cohereEmbed) StreamError(string) []byte { return nil }

// cohereRerank is POST /v1/rerank and /v2/rerank.
// https://docs.cohere.com/reference/rerank
type cohereRerank struct{ cohereErrors }

func (cohereRerank) Name() string { return "cohere/rerank" }

func (cohereRerank) Match(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, "/v1/rerank") || strings.HasSuffix(r.URL.Path, "/v2/rerank")
}

func (cohereRerank) Streamed(*http.Request, []byte) bool { return false }

func (cohereRerank) Check(r *http.Request, body []byte) error {
	if err := checkPost(r); err != nil {
		return err
	}
	var q struct {
		Model           string            `json:"model"`
		Query           string            `json:"query"`
		Documents       []json.RawMessage `json:"documents"`
		TopN            *int              `json:"top_n"`
		MaxTokensPerDoc *int              `json:"max_tokens_per_doc"`
		ReturnDocuments *bool             `json:"return_documents"`
		RankFields      []string          `json:"rank_fields"`
		MaxChunksPerDoc *int              `json:"max_chunks_per_doc"`
		Priority        *int              `json:"priority"`
	}
	if err := decodeStrict(body, &q); err != nil {
		return fmt.Errorf("invalid request: %w", err)
	}
	if q.Query == "" || len(q.Documents) == 0 || q.Model == "" && strings.HasSuffix(r.URL.Path, "/v2/rerank") {
		return errors.New("invalid request: model, query and documents are required")
	}
	return nil
}

// Whole ranks the documents in the order in which they came.
func (cohereRerank) Whole(_ *Scenario, body []byte) []byte {
	var q struct {
		Documents []json.RawMessage `json:"documents"`
	}
	_ = json.Unmarshal(body, &q) // Check has read it
	results := make([]string, len(q.Documents))
	for i := range results {
		results[i] = fmt.Sprintf(`{"index":%d,"relevance_score":%.3f}`, i, 1/float64(i+2))
	}
	return fmt.Appendf(nil, `{"id":"mock-rerank","results":[%s],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1}}}`, strings.Join(results, ","))
}

func (f cohereRerank) Stream(s *Scenario, body []byte) (string, [][]byte) {
	return "application/json", [][]byte{f.Whole(s, body)}
}

func (cohereRerank) StreamError(string) []byte { return nil }
