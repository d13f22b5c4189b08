package mock

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"go-ai-proxy/translators/chat"
)

func init() {
	register(ollamaChat{})
	register(ollamaGenerate{})
	register(ollamaEmbed{})
}

// ollama is what the formats of Ollama share. https://docs.ollama.com/api
type ollama struct{}

// Streamed: Ollama streams unless told not to.
func (ollama) Streamed(_ *http.Request, body []byte) bool {
	var q struct {
		Stream *bool `json:"stream"`
	}
	return json.Unmarshal(body, &q) == nil && (q.Stream == nil || *q.Stream)
}

func (ollama) Error(_ int, message string) []byte { return []byte(`{"error":` + quote(message) + `}`) }

func (o ollama) StreamError(message string) []byte { return append(o.Error(0, message), '\n') }

// ollamaHead are the first members of an answer or of a line, whose clock is
// finer than a second and not in UTC.
func ollamaHead(s *Scenario) string {
	at := time.Unix(s.Answer.Created, 123456789).In(time.FixedZone("", -7*60*60))
	return fmt.Sprintf(`{"model":%s,"created_at":%q,`, quote(s.Answer.Model), at.Format(time.RFC3339Nano))
}

// ollamaTail are the members that an answer has when it is done.
func ollamaTail(s *Scenario) string {
	reason := "stop"
	if s.Answer.Choices[0].Finish == chat.Length {
		reason = "length"
	}
	u := &s.Answer.Usage
	return fmt.Sprintf(`,"done":true,"done_reason":%q,"total_duration":4062418334,"load_duration":1229365792,"prompt_eval_count":%d,"prompt_eval_duration":167969000,"eval_count":%d,"eval_duration":2658646000}`,
		reason, u.Prompt, u.Completion)
}

// ollamaOptions are the names of the options, and whether each is an integer.
var ollamaOptions = map[string]bool{
	"num_keep": true, "seed": true, "num_predict": true, "top_k": true, "top_p": false, "min_p": false, "typical_p": false,
	"repeat_last_n": true, "temperature": false, "repeat_penalty": false, "presence_penalty": false, "frequency_penalty": false,
	"num_ctx": true, "num_batch": true, "num_gpu": true, "main_gpu": true, "num_thread": true,
}

// ollamaShared are the members of both chat and generate. A real server
// ignores unknown ones; the mock refuses them, since they would be lost.
type ollamaShared struct {
	Model       string                     `json:"model"`
	Stream      *bool                      `json:"stream"`
	Format      json.RawMessage            `json:"format"`
	KeepAlive   json.RawMessage            `json:"keep_alive"`
	Options     map[string]json.RawMessage `json:"options"`
	Think       json.RawMessage            `json:"think"`
	Truncate    *bool                      `json:"truncate"`
	Shift       *bool                      `json:"shift"`
	Logprobs    bool                       `json:"logprobs"`
	TopLogprobs int                        `json:"top_logprobs"`
}

func (q *ollamaShared) check() error {
	if q.Model == "" {
		return errors.New("model is required")
	}
	if q.TopLogprobs < 0 || q.TopLogprobs > 20 {
		return errors.New("top_logprobs must be between 0 and 20")
	}
	if f := string(q.Format); f != "" && f != `"json"` && f[0] != '{' {
		return fmt.Errorf("invalid format: %s; expected \"json\" or a valid JSON Schema object", f)
	}
	if v := string(q.Think); v != "" && !slices.Contains([]string{"true", "false", `"low"`, `"medium"`, `"high"`, `"max"`}, v) {
		return fmt.Errorf(`invalid think value: %s (must be "high", "medium", "low", "max", true, or false)`, v)
	}
	for name, v := range q.Options {
		if name == "stop" {
			var list []string
			if json.Unmarshal(v, &list) != nil {
				return errors.New(`option "stop" must be of an array of strings`)
			}
			continue
		}
		integer, ok := ollamaOptions[name]
		var n float64
		switch {
		case !ok:
			return fmt.Errorf("invalid option provided: %s", name)
		case json.Unmarshal(v, &n) != nil, integer && n != float64(int(n)):
			return fmt.Errorf("option %q must be of another type than %s", name, v)
		}
	}
	return nil
}

// ollamaChat is POST /api/chat. https://docs.ollama.com/api/chat
type ollamaChat struct{ ollama }

func (ollamaChat) Name() string { return "ollama/chat" }

func (ollamaChat) Match(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/api/chat") }

type ollamaMessage struct {
	Role       string   `json:"role"`
	Content    *string  `json:"content"`
	Thinking   string   `json:"thinking"`
	Images     [][]byte `json:"images"` // base64, checked by the decoder
	ToolName   string   `json:"tool_name"`
	ToolCallID string   `json:"tool_call_id"`
	ToolCalls  []struct {
		ID       string `json:"id"`
		Type     string `json:"type"`
		Function struct {
			Index     int                        `json:"index"`
			Name      string                     `json:"name"`
			Arguments map[string]json.RawMessage `json:"arguments"`
		} `json:"function"`
	} `json:"tool_calls"`
}

// Check refuses what Ollama refuses, and what its models would not understand.
// tool_choice is not in its API, but is accepted, because some servers have it.
func (ollamaChat) Check(r *http.Request, body []byte) error {
	if err := checkPost(r); err != nil {
		return err
	}
	var q struct {
		ollamaShared
		Messages   []ollamaMessage `json:"messages"`
		ToolChoice json.RawMessage `json:"tool_choice"`
		Tools      []struct {
			Type     string `json:"type"`
			Function struct {
				Name        string          `json:"name"`
				Description string          `json:"description"`
				Parameters  json.RawMessage `json:"parameters"`
			} `json:"function"`
		} `json:"tools"`
	}
	if err := decodeStrict(body, &q); err != nil {
		return err
	}
	if err := q.check(); err != nil {
		return err
	}
	for i, t := range q.Tools {
		if t.Type != "function" || t.Function.Name == "" || len(t.Function.Parameters) == 0 || t.Function.Parameters[0] != '{' {
			return fmt.Errorf("tools[%d]: want a function with a name and parameters", i)
		}
	}
	return checkOllamaMessages(q.Messages)
}

// checkOllamaMessages requires the results right after the calls that they answer, in
// the order of the calls.
func checkOllamaMessages(messages []ollamaMessage) error {
	if len(messages) == 0 {
		return errors.New("messages: want at least one")
	}
	var open *ollamaMessage
	answered := 0
	for i := range messages {
		m := &messages[i]
		if m.Content == nil {
			return fmt.Errorf("messages[%d].content is required", i)
		}
		if len(m.ToolCalls) > 0 && m.Role != "assistant" || m.ToolName+m.ToolCallID != "" && m.Role != "tool" {
			return fmt.Errorf("messages[%d]: not a member of a message of the role %q", i, m.Role)
		}
		switch m.Role {
		case "tool":
			if open == nil || answered == len(open.ToolCalls) {
				return fmt.Errorf("messages[%d]: answers no call", i)
			}
			c := &open.ToolCalls[answered]
			if m.ToolName != c.Function.Name || m.ToolCallID != c.ID {
				return fmt.Errorf("messages[%d]: answers %s %s, want %s %s", i, m.ToolName, m.ToolCallID, c.Function.Name, c.ID)
			}
			answered++
		case "assistant":
			open, answered = m, 0
			for j, c := range m.ToolCalls {
				if c.Type != "function" || c.Function.Name == "" || c.Function.Arguments == nil {
					return fmt.Errorf("messages[%d].tool_calls[%d]: want a function with a name and an object of arguments", i, j)
				}
			}
		case "system", "user":
		default:
			return fmt.Errorf("messages[%d].role: %q", i, m.Role)
		}
	}
	return nil
}

func (ollamaChat) Whole(s *Scenario, _ []byte) []byte {
	c := &s.Answer.Choices[0]
	message := `{"role":"assistant","content":` + quote(ollamaText(c.Parts))
	if t := joined(c.Parts, chat.Thinking); t != "" {
		message += `,"thinking":` + quote(t)
	}
	if cs := calls(c.Parts); len(cs) > 0 {
		list := make([]string, len(cs))
		for i := range cs {
			list[i] = ollamaCall(&cs[i], i)
		}
		message += `,"tool_calls":[` + strings.Join(list, ",") + `]`
	}
	return []byte(ollamaHead(s) + `"message":` + message + `}` + ollamaTail(s))
}

// ollamaText returns the plain text of the parts, refusals included.
func ollamaText(parts []chat.Part) string {
	return joined(parts, chat.Text) + joined(parts, chat.Refusal)
}

func ollamaCall(p *chat.Part, i int) string {
	return fmt.Sprintf(`{"id":%s,"function":{"index":%d,"name":%s,"arguments":%s}}`, quote(p.ID), i, quote(p.Name), p.Arguments)
}

func (ollamaChat) Stream(s *Scenario, _ []byte) (string, [][]byte) {
	var events [][]byte
	event := func(message, tail string) {
		events = append(events, []byte(ollamaHead(s)+`"message":{"role":"assistant",`+message+`}`+tail+"\n"))
	}
	n := 0
	for _, p := range s.Answer.Choices[0].Parts {
		if p.Kind == chat.ToolCall { // whole, each in a line of its own
			event(`"content":"","tool_calls":[`+ollamaCall(&p, n)+`]`, `,"done":false}`)
			n++
			continue
		}
		for i, t := range Cut(p.Text.String(), s.Pieces) {
			text := quoteNth(i, t)
			if p.Kind == chat.Thinking {
				event(`"content":"","thinking":`+text, `,"done":false}`)
			} else {
				event(`"content":`+text, `,"done":false}`)
			}
		}
	}
	event(`"content":""`, ollamaTail(s))
	return "application/x-ndjson", events
}

// ollamaGenerate is POST /api/generate. https://docs.ollama.com/api/generate
type ollamaGenerate struct{ ollama }

func (ollamaGenerate) Name() string { return "ollama/generate" }

func (ollamaGenerate) Match(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, "/api/generate")
}

func (ollamaGenerate) Check(r *http.Request, body []byte) error {
	if err := checkPost(r); err != nil {
		return err
	}
	var q struct {
		ollamaShared
		Prompt   string   `json:"prompt"`
		Suffix   string   `json:"suffix"`
		System   string   `json:"system"`
		Template string   `json:"template"`
		Context  []int    `json:"context"`
		Raw      bool     `json:"raw"`
		Images   [][]byte `json:"images"`
	}
	if err := decodeStrict(body, &q); err != nil {
		return err
	}
	if q.Prompt == "" {
		return errors.New("prompt: without one, a model is only loaded")
	}
	return q.check()
}

func (ollamaGenerate) Whole(s *Scenario, _ []byte) []byte {
	parts := s.Answer.Choices[0].Parts
	return []byte(ollamaHead(s) + `"response":` + quote(ollamaText(parts)) + `,"context":[1,2,3]` + ollamaTail(s))
}

func (ollamaGenerate) Stream(s *Scenario, _ []byte) (string, [][]byte) {
	var events [][]byte
	for i, t := range Cut(ollamaText(s.Answer.Choices[0].Parts), s.Pieces) {
		events = append(events, []byte(ollamaHead(s)+`"response":`+quoteNth(i, t)+`,"done":false}`+"\n"))
	}
	return "application/x-ndjson", append(events, []byte(ollamaHead(s)+`"response":"","context":[1,2,3]`+ollamaTail(s)+"\n"))
}

// ollamaEmbed is POST /api/embed. https://docs.ollama.com/api/embed
type ollamaEmbed struct{ ollama }

func (ollamaEmbed) Name() string { return "ollama/embed" }

func (ollamaEmbed) Match(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/api/embed") }

func (ollamaEmbed) Streamed(*http.Request, []byte) bool { return false }

func (ollamaEmbed) Check(r *http.Request, body []byte) error {
	if err := checkPost(r); err != nil {
		return err
	}
	var q struct {
		Model      string                     `json:"model"`
		Input      json.RawMessage            `json:"input"`
		Dimensions int                        `json:"dimensions"`
		Truncate   *bool                      `json:"truncate"`
		KeepAlive  json.RawMessage            `json:"keep_alive"`
		Options    map[string]json.RawMessage `json:"options"`
	}
	if err := decodeStrict(body, &q); err != nil {
		return err
	}
	var one string
	var many []string
	if q.Model == "" || json.Unmarshal(q.Input, &one) != nil && json.Unmarshal(q.Input, &many) != nil {
		return errors.New("invalid input type")
	}
	return nil
}

// Whole has the vectors of OpenAI's mock.
func (ollamaEmbed) Whole(s *Scenario, body []byte) []byte {
	var a struct {
		Model string
		Data  []struct{ Embedding json.RawMessage }
		Usage struct {
			Prompt int `json:"prompt_tokens"`
		}
	}
	_ = json.Unmarshal(openAIEmbeddings{}.Whole(s, body), &a) // our own JSON
	vectors := make([]string, len(a.Data))
	for i := range a.Data {
		vectors[i] = string(a.Data[i].Embedding)
	}
	return fmt.Appendf(nil, `{"model":%s,"embeddings":[%s],"total_duration":14143917,"load_duration":1019500,"prompt_eval_count":%d}`,
		quote(a.Model), strings.Join(vectors, ","), a.Usage.Prompt)
}

func (e ollamaEmbed) Stream(s *Scenario, body []byte) (string, [][]byte) {
	return "application/json", [][]byte{e.Whole(s, body)}
}
