package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// answer is what a client of the OpenAI format understands of an answer.
type answer struct {
	ID      string         `json:"id"`
	Object  string         `json:"object"`
	Created int64          `json:"created"`
	Model   string         `json:"model"`
	Choices []answerChoice `json:"choices"`
	Usage   *answerUsage   `json:"usage"`
}

type answerChoice struct {
	Index   int             `json:"index"`
	Message json.RawMessage `json:"message"`
	Text    *string         `json:"text"` // of completions
	Finish  *string         `json:"finish_reason"`
	message message
}

// message is an assistant's message, or a delta of one.
type message struct {
	Role      string          `json:"role,omitempty"`
	Content   *string         `json:"content"`
	Refusal   string          `json:"refusal,omitempty"`
	Reasoning string          `json:"reasoning_content,omitempty"`
	Blocks    []thinkingBlock `json:"thinking_blocks,omitempty"`
	Calls     []toolCall      `json:"tool_calls,omitempty"`
	// Annotations are the sources of the text.
	Annotations []json.RawMessage `json:"annotations,omitempty"`
}

type thinkingBlock struct {
	Type      string `json:"type"`
	Thinking  string `json:"thinking,omitempty"`
	Signature string `json:"signature,omitempty"`
	Data      string `json:"data,omitempty"`
}

type toolCall struct {
	Index    *int            `json:"index,omitempty"`
	ID       string          `json:"id"`
	Type     string          `json:"type"`
	Extra    json.RawMessage `json:"extra_content,omitempty"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

type answerUsage struct {
	Prompt        int `json:"prompt_tokens"`
	Completion    int `json:"completion_tokens"`
	Total         int `json:"total_tokens"`
	PromptDetails struct {
		Cached int `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
	CompletionDetails struct {
		Reasoning int `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
}

func (m *message) text() string {
	if m.Content == nil {
		return ""
	}
	return *m.Content
}

// parseWhole reads a whole answer.
func parseWhole(t *testing.T, body []byte) *answer {
	t.Helper()
	a := &answer{}
	if err := json.Unmarshal(body, a); err != nil {
		t.Fatalf("the answer is not OpenAI's: %v\n%s", err, clip(body))
	}
	for i := range a.Choices {
		c := &a.Choices[i]
		if c.Text != nil {
			c.message = message{Role: "assistant", Content: c.Text}
			continue
		}
		if err := json.Unmarshal(c.Message, &c.message); err != nil {
			t.Fatalf("choice %d: %v\n%s", i, err, clip(body))
		}
	}
	return a
}

// streamed is a streamed answer after assembly, and how it was sent.
type streamed struct {
	answer
	usageChunks int
	done        int
	failed      string // message of an error event
}

// chunk is one event of a streamed answer.
type chunk struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	Model   string `json:"model"`
	Choices []struct {
		Index  int     `json:"index"`
		Delta  message `json:"delta"`
		Text   *string `json:"text"`
		Finish *string `json:"finish_reason"`
	} `json:"choices"`
	Usage *answerUsage `json:"usage"`
	Error *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// assemble puts a stream's chunks together as SDKs do. It returns an error for
// a stream that an SDK could not read.
func assemble(stream []byte) (*streamed, error) {
	s := &streamed{}
	if len(stream) > 0 && !bytes.HasSuffix(stream, []byte("\n\n")) {
		return nil, fmt.Errorf("the stream does not end in an empty line: %q", clip(stream[max(0, len(stream)-80):]))
	}
	for i, event := range strings.Split(strings.TrimSuffix(string(stream), "\n\n"), "\n\n") {
		data, ok := strings.CutPrefix(event, "data: ")
		if event == "" && len(stream) == 0 {
			break
		}
		if !ok || strings.Contains(data, "\n") {
			return nil, fmt.Errorf("event %d is not one data line: %q", i, event)
		}
		if s.done > 0 || s.failed != "" {
			return nil, fmt.Errorf("event %d after the end: %q", i, event)
		}
		if data == "[DONE]" {
			s.done++
			continue
		}
		var c chunk
		if err := json.Unmarshal([]byte(data), &c); err != nil {
			return nil, fmt.Errorf("event %d: %w: %q", i, err, data)
		}
		if err := s.add(&c); err != nil {
			return nil, fmt.Errorf("event %d: %w: %q", i, err, data)
		}
	}
	return s, nil
}

func (s *streamed) add(c *chunk) error {
	if c.Error != nil {
		s.failed = c.Error.Message
		return nil
	}
	if s.ID == "" {
		s.ID, s.Object, s.Created, s.Model = c.ID, c.Object, c.Created, c.Model
	}
	if c.ID != s.ID || c.Object != s.Object || c.Created != s.Created || c.Model != s.Model || c.ID == "" || c.Created == 0 {
		return fmt.Errorf("id, object, created or model changed or is missing")
	}
	if c.Usage != nil {
		s.Usage = c.Usage
		if len(c.Choices) == 0 {
			s.usageChunks++
		}
	} else if s.usageChunks > 0 {
		return fmt.Errorf("a chunk after that of usage")
	}
	for i := range c.Choices {
		from := &c.Choices[i]
		for len(s.Choices) <= from.Index {
			s.Choices = append(s.Choices, answerChoice{Index: len(s.Choices)})
		}
		to := &s.Choices[from.Index]
		if to.Finish != nil {
			return fmt.Errorf("choice %d goes on after its finish reason", from.Index)
		}
		to.Finish = from.Finish
		if from.Text != nil {
			from.Delta.Content, to.message.Role = from.Text, "assistant"
		}
		if err := to.message.add(&from.Delta); err != nil {
			return err
		}
	}
	return nil
}

func (m *message) add(d *message) error {
	if d.Role != "" {
		m.Role = d.Role
	}
	if m.Role == "" {
		return fmt.Errorf("a delta before the role")
	}
	if d.Content != nil {
		text := m.text() + *d.Content
		m.Content = &text
	}
	m.Refusal += d.Refusal
	m.Reasoning += d.Reasoning
	m.Blocks = append(m.Blocks, d.Blocks...)
	m.Annotations = append(m.Annotations, d.Annotations...)
	for _, c := range d.Calls {
		switch {
		case c.Index == nil:
			return fmt.Errorf("a tool call without index")
		case *c.Index == len(m.Calls):
			if c.ID == "" || c.Type != "function" || c.Function.Name == "" {
				return fmt.Errorf("tool call %d begins without id, type or name", *c.Index)
			}
			c.Index = nil
			m.Calls = append(m.Calls, c)
		case *c.Index < len(m.Calls):
			if c.ID != "" || c.Function.Name != "" {
				return fmt.Errorf("tool call %d begins twice", *c.Index)
			}
			m.Calls[*c.Index].Function.Arguments += c.Function.Arguments
		default:
			return fmt.Errorf("tool call %d before %d", *c.Index, len(m.Calls))
		}
	}
	return nil
}
