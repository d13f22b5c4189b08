package mock

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

func init() {
	register(huggingfaceGenerate{})
	register(huggingfaceVectors{})
}

// huggingfaceErrors are the errors of both APIs.
type huggingfaceErrors struct{}

func (huggingfaceErrors) Error(status int, message string) []byte {
	kind := map[int]string{422: "validation", 429: "overloaded", 503: "overloaded"}[status]
	if kind == "" {
		kind = "generation"
	}
	return fmt.Appendf(nil, `{"error":%s,"error_type":%q}`, quote(message), kind)
}

// huggingfaceGenerate is text generation: /generate and /generate_stream of a
// TGI server, and a model's path on the router, which does both.
// https://huggingface.github.io/text-generation-inference/
type huggingfaceGenerate struct{ huggingfaceErrors }

func (huggingfaceGenerate) Name() string { return "huggingface/generate" }

func (huggingfaceGenerate) Match(r *http.Request) bool {
	path := r.URL.Path
	return path == "/generate" || strings.HasSuffix(path, "/generate_stream") ||
		strings.Contains(path, "/hf-inference/models/") && !strings.Contains(path, "/pipeline/") && !strings.HasSuffix(path, "/completions")
}

func (huggingfaceGenerate) Streamed(r *http.Request, body []byte) bool {
	switch {
	case strings.HasSuffix(r.URL.Path, "/generate_stream"):
		return true
	case strings.HasSuffix(r.URL.Path, "/generate"):
		return false
	}
	return asksForStream(body)
}

// huggingfaceRequest has every member of the API. The server ignores others;
// the mock refuses them.
type huggingfaceRequest struct {
	Inputs  string `json:"inputs"`
	Model   string `json:"model"`
	Stream  bool   `json:"stream"`
	Options *struct {
		UseCache     *bool `json:"use_cache"`
		WaitForModel *bool `json:"wait_for_model"`
	} `json:"options"`
	Parameters struct {
		AdapterID           *string         `json:"adapter_id"`
		BestOf              *int            `json:"best_of"`
		DecoderInputDetails bool            `json:"decoder_input_details"`
		Details             bool            `json:"details"`
		DoSample            bool            `json:"do_sample"`
		FrequencyPenalty    *float64        `json:"frequency_penalty"`
		Grammar             json.RawMessage `json:"grammar"`
		MaxNewTokens        *int            `json:"max_new_tokens"`
		RepetitionPenalty   *float64        `json:"repetition_penalty"`
		ReturnFullText      *bool           `json:"return_full_text"`
		Seed                *uint64         `json:"seed"`
		Stop                []string        `json:"stop"`
		Temperature         *float64        `json:"temperature"`
		TopK                *int            `json:"top_k"`
		TopNTokens          *int            `json:"top_n_tokens"`
		TopP                *float64        `json:"top_p"`
		Truncate            *int            `json:"truncate"`
		TypicalP            *float64        `json:"typical_p"`
		Watermark           bool            `json:"watermark"`
	} `json:"parameters"`
}

func (f huggingfaceGenerate) Check(r *http.Request, body []byte) error {
	if err := checkPost(r); err != nil {
		return err
	}
	var q huggingfaceRequest
	if err := decodeStrict(body, &q); err != nil {
		return fmt.Errorf("failed to deserialize the JSON body into the target type: %w", err)
	}
	p := &q.Parameters
	switch {
	case q.Inputs == "":
		return errors.New("input validation error: `inputs` cannot be empty")
	case p.Temperature != nil && *p.Temperature <= 0:
		return errors.New("input validation error: `temperature` must be strictly positive")
	case p.TopP != nil && (*p.TopP <= 0 || *p.TopP >= 1):
		return errors.New("input validation error: `top_p` must be > 0.0 and < 1.0")
	case p.TopK != nil && *p.TopK <= 0:
		return errors.New("input validation error: `top_k` must be strictly positive")
	case p.MaxNewTokens != nil && *p.MaxNewTokens <= 0:
		return errors.New("input validation error: `max_new_tokens` must be strictly positive")
	case p.FrequencyPenalty != nil && (*p.FrequencyPenalty < -2 || *p.FrequencyPenalty > 2):
		return errors.New("input validation error: `frequency_penalty` must be >= -2.0 and <= 2.0")
	case p.DecoderInputDetails && f.Streamed(r, body):
		return errors.New("input validation error: `decoder_input_details` == true is not supported when streaming tokens")
	}
	return nil
}

// huggingfaceFinish is a finish reason in TGI's words.
func huggingfaceFinish(s *Scenario) string {
	if s.Answer.Choices[0].Finish == "length" {
		return "length"
	}
	return "eos_token"
}

// Whole answers as the router does: a list of one. The prompt's tokens are
// listed only where decoder_input_details asks for them.
func (huggingfaceGenerate) Whole(s *Scenario, body []byte) []byte {
	var q huggingfaceRequest
	_ = json.Unmarshal(body, &q) // Check has read it
	details := ""
	if q.Parameters.Details {
		prefill := ""
		if q.Parameters.DecoderInputDetails {
			prefill = strings.TrimSuffix(strings.Repeat(`{"id":1,"text":"x","logprob":null},`, s.Answer.Usage.Prompt), ",")
		}
		details = fmt.Sprintf(`,"details":{"finish_reason":%q,"generated_tokens":%d,"seed":null,"prefill":[%s],"tokens":[]}`,
			huggingfaceFinish(s), s.Answer.Usage.Completion, prefill)
	}
	return fmt.Appendf(nil, `[{"generated_text":%s%s}]`, quote(spoken(&s.Answer.Choices[0])), details)
}

func (huggingfaceGenerate) Stream(s *Scenario, _ []byte) (string, [][]byte) {
	text := spoken(&s.Answer.Choices[0])
	var events [][]byte
	for i, t := range Cut(text, s.Pieces) {
		events = append(events, sse("", fmt.Sprintf(`{"index":%d,"token":{"id":%d,"text":%s,"logprob":-0.5,"special":false},"generated_text":null,"details":null}`, i+1, i+100, quoteNth(i, t))))
	}
	events = append(events, sse("", fmt.Sprintf(`{"index":%d,"token":{"id":2,"text":"</s>","logprob":-0.1,"special":true},"generated_text":%s,"details":{"finish_reason":%q,"generated_tokens":%d,"input_length":%d,"seed":null}}`,
		len(events)+1, quote(text), huggingfaceFinish(s), s.Answer.Usage.Completion, s.Answer.Usage.Prompt)))
	return "text/event-stream", events
}

func (f huggingfaceGenerate) StreamError(message string) []byte {
	return sse("", string(f.Error(http.StatusInternalServerError, message)))
}

// huggingfaceVectors is feature extraction.
// https://huggingface.co/docs/inference-providers/tasks/feature-extraction
type huggingfaceVectors struct{ huggingfaceErrors }

func (huggingfaceVectors) Name() string { return "huggingface/feature-extraction" }

func (huggingfaceVectors) Match(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, "/pipeline/feature-extraction")
}

func (huggingfaceVectors) Streamed(*http.Request, []byte) bool { return false }

func (huggingfaceVectors) Check(r *http.Request, body []byte) error {
	if err := checkPost(r); err != nil {
		return err
	}
	var q struct {
		Inputs              json.RawMessage `json:"inputs"`
		Options             json.RawMessage `json:"options"`
		Normalize           *bool           `json:"normalize"`
		PromptName          *string         `json:"prompt_name"`
		Truncate            *bool           `json:"truncate"`
		TruncationDirection *string         `json:"truncation_direction"`
		Dimensions          *int            `json:"dimensions"`
	}
	if err := decodeStrict(body, &q); err != nil {
		return err
	}
	var one string
	var many []string
	if json.Unmarshal(q.Inputs, &one) != nil && (json.Unmarshal(q.Inputs, &many) != nil || len(many) == 0) {
		return errors.New("`inputs` must be a string or a list of strings")
	}
	return nil
}

// Whole answers each input with a vector that depends on its length only.
func (huggingfaceVectors) Whole(_ *Scenario, body []byte) []byte {
	var q struct {
		Inputs     json.RawMessage `json:"inputs"`
		Dimensions int             `json:"dimensions"`
	}
	_ = json.Unmarshal(body, &q) // Check has read it
	vectors := vectorsOf(inputs(q.Inputs), q.Dimensions)
	return []byte("[" + strings.Join(vectors, ",") + "]")
}

// vectorsOf are vectors that depend on the lengths of texts only; 0 dimensions are 4.
func vectorsOf(texts []string, dimensions int) []string {
	if dimensions == 0 {
		dimensions = 4
	}
	vectors := make([]string, len(texts))
	for i, text := range texts {
		numbers := make([]string, dimensions)
		for d := range numbers {
			numbers[d] = fmt.Sprintf("%.4f", float64((len(text)*(d+3))%17)/17)
		}
		vectors[i] = "[" + strings.Join(numbers, ",") + "]"
	}
	return vectors
}

func (f huggingfaceVectors) Stream(s *Scenario, body []byte) (string, [][]byte) {
	return "application/json", [][]byte{f.Whole(s, body)}
}

func (huggingfaceVectors) StreamError(string) []byte { return nil }
