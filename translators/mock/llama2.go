package mock

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"

	"go-ai-proxy/translators/chat"
)

func init() { register(llama2Raw{}) }

// llama2Raw is an endpoint that completes a prompt in Llama 2's template. It
// has no path of its own: here it is the root, or what is below /raw/.
type llama2Raw struct{}

func (llama2Raw) Name() string { return "llama2/raw" }

func (llama2Raw) Match(r *http.Request) bool {
	return r.URL.Path == "/" || strings.HasPrefix(r.URL.Path, "/raw/")
}

// Streamed is always false: the endpoint cannot stream.
func (llama2Raw) Streamed(*http.Request, []byte) bool { return false }

// llama2Template is a conversation that ends with a question: rounds of an
// instruction and its answer, of which the first may have a system prompt. A
// prompt alone has a template of its own, whose tags are not paired.
var llama2Template = regexp.MustCompile(`(?s)^(<s>\[INST\]( <<SYS>> [^<]+ <</SYS>>)? .+? \[/INST\]( .+? </s> <s>\[INST\] .+? \[/INST\])*|<s> \[INST\] <<SYS>> [^<]+ <<SYS>> .+ \[/INST\])$`)

func (llama2Raw) Check(r *http.Request, body []byte) error {
	if err := checkPost(r); err != nil {
		return err
	}
	var q struct {
		Inputs     string `json:"inputs"`
		Parameters struct {
			MaxNewTokens *int     `json:"max_new_tokens"`
			TopP         *float64 `json:"top_p"`
			TopK         *int     `json:"top_k"`
			Temperature  *float64 `json:"temperature"`
			Stream       *bool    `json:"stream"`
		} `json:"parameters"`
	}
	if err := decodeStrict(body, &q); err != nil {
		return err
	}
	if !llama2Template.MatchString(q.Inputs) {
		return errors.New("inputs is not in the template of the model")
	}
	if s := q.Parameters.Stream; s == nil || *s {
		return errors.New("parameters.stream must be false")
	}
	return nil
}

// Whole repeats the prompt before the answer, as the model's server does.
func (llama2Raw) Whole(s *Scenario, body []byte) []byte {
	var q struct{ Inputs string }
	_ = json.Unmarshal(body, &q) // Check has read it
	parts := s.Answer.Choices[0].Parts
	text := q.Inputs + "\n\n" + joined(parts, chat.Text) + joined(parts, chat.Refusal) + "\n"
	return []byte(`{"data":[{"generated_text":` + quote(text) + `}]}`)
}

func (l llama2Raw) Stream(s *Scenario, body []byte) (string, [][]byte) {
	return "application/json", [][]byte{l.Whole(s, body)}
}

func (llama2Raw) Error(_ int, message string) []byte {
	return []byte(`{"error":` + quote(message) + `}`)
}

func (llama2Raw) StreamError(string) []byte { return nil }
