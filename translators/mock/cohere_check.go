package mock

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// cohereSampling are the parameters that all of Cohere's APIs for text have.
type cohereSampling struct {
	MaxTokens        *int     `json:"max_tokens"`
	Temperature      *float64 `json:"temperature"`
	P                *float64 `json:"p"`
	K                *int     `json:"k"`
	Seed             *uint64  `json:"seed"`
	FrequencyPenalty *float64 `json:"frequency_penalty"`
	PresencePenalty  *float64 `json:"presence_penalty"`
	StopSequences    []string `json:"stop_sequences"`
}

func (q *cohereSampling) check(maxP float64) error {
	out := func(f *float64, low, high float64) bool { return f != nil && (*f < low || *f > high) }
	switch {
	case q.MaxTokens != nil && *q.MaxTokens < 0:
		return errors.New("invalid request: max_tokens must be greater than or equal to 0")
	case out(q.Temperature, 0, 5):
		return errors.New("invalid request: temperature must be between 0 and 5")
	case out(q.P, 0.01, maxP):
		return errors.New("invalid request: p must be between 0.01 and 0.99")
	case q.K != nil && (*q.K < 0 || *q.K > 500):
		return errors.New("invalid request: k must be between 0 and 500")
	case out(q.FrequencyPenalty, 0, 1), out(q.PresencePenalty, 0, 1):
		return errors.New("invalid request: penalties must be between 0 and 1")
	case len(q.StopSequences) > 5:
		return errors.New("invalid request: stop_sequences may have 5 elements")
	}
	return nil
}

// cohereChatRequest has every member of version 2; others are refused.
type cohereChatRequest struct {
	cohereSampling
	Model           string            `json:"model"`
	Messages        []cohereMessage   `json:"messages"`
	Stream          *bool             `json:"stream"`
	Tools           []cohereTool      `json:"tools"`
	StrictTools     *bool             `json:"strict_tools"`
	Documents       []json.RawMessage `json:"documents"`
	CitationOptions json.RawMessage   `json:"citation_options"`
	ResponseFormat  *struct {
		Type       string         `json:"type"`
		JSONSchema map[string]any `json:"json_schema"`
	} `json:"response_format"`
	SafetyMode *string `json:"safety_mode"`
	Logprobs   *bool   `json:"logprobs"`
	ToolChoice *string `json:"tool_choice"`
	Thinking   *struct {
		Type   string `json:"type"`
		Budget *int   `json:"token_budget"`
	} `json:"thinking"`
	Priority *int `json:"priority"`
}

type cohereTool struct {
	Type     string `json:"type"`
	Function struct {
		Name        string         `json:"name"`
		Description *string        `json:"description"`
		Parameters  map[string]any `json:"parameters"`
	} `json:"function"`
}

type cohereMessage struct {
	Role       string          `json:"role"`
	Content    json.RawMessage `json:"content"`
	ToolPlan   string          `json:"tool_plan"`
	ToolCallID string          `json:"tool_call_id"`
	Citations  json.RawMessage `json:"citations"`
	ToolCalls  []struct {
		ID       string `json:"id"`
		Type     string `json:"type"`
		Function struct {
			Name      string `json:"name"`
			Arguments string `json:"arguments"`
		} `json:"function"`
	} `json:"tool_calls"`
}

// cohereBlock has the members of all kinds of content.
type cohereBlock struct {
	Type     string  `json:"type"`
	Text     *string `json:"text"`
	Thinking *string `json:"thinking"`
	ImageURL *struct {
		URL    string `json:"url"`
		Detail string `json:"detail"`
	} `json:"image_url"`
	Document json.RawMessage `json:"document"`
}

func checkCohereChat(body []byte) error {
	var q cohereChatRequest
	if err := decodeStrict(body, &q); err != nil {
		return fmt.Errorf("invalid request: %w", err)
	}
	switch {
	case q.Model == "":
		return errors.New("invalid request: model is a required field")
	case len(q.Messages) == 0:
		return errors.New("invalid request: messages must have at least one element")
	case q.ToolChoice != nil && *q.ToolChoice != "REQUIRED" && *q.ToolChoice != "NONE":
		return fmt.Errorf("invalid request: tool_choice %q is not REQUIRED or NONE", *q.ToolChoice)
	case q.ToolChoice != nil && len(q.Tools) == 0:
		return errors.New("invalid request: tool_choice needs tools")
	case q.ResponseFormat != nil && q.ResponseFormat.Type != "json_object" && q.ResponseFormat.Type != "text":
		return fmt.Errorf("invalid request: response_format.type %q", q.ResponseFormat.Type)
	case q.ResponseFormat != nil && len(q.Tools)+len(q.Documents) > 0:
		return errors.New("invalid request: response_format cannot stand beside tools or documents")
	case q.Thinking != nil && q.Thinking.Type != "enabled" && q.Thinking.Type != "disabled":
		return fmt.Errorf("invalid request: thinking.type %q", q.Thinking.Type)
	case q.Thinking != nil && q.Thinking.Budget != nil && *q.Thinking.Budget < 1:
		return errors.New("invalid request: thinking.token_budget must be a positive integer")
	}
	for i, t := range q.Tools {
		if t.Type != "function" || t.Function.Name == "" || t.Function.Parameters == nil {
			return fmt.Errorf("invalid request: tools[%d] wants type, name and parameters", i)
		}
	}
	if err := q.check(0.99); err != nil {
		return err
	}
	return q.checkMessages()
}

// checkMessages checks the order of calls and results: each result belongs to a call of
// the message before the results, and no other message comes before all calls have one.
func (q *cohereChatRequest) checkMessages() error {
	open := map[string]bool{}
	for i := range q.Messages {
		m := &q.Messages[i]
		at := fmt.Sprintf("invalid request: messages[%d]", i)
		if m.Role != "tool" && len(open) > 0 {
			return fmt.Errorf("%s: tool calls have no results: %v", at, open)
		}
		if m.Role != "assistant" && (m.ToolPlan != "" || len(m.ToolCalls) > 0) || m.Role != "tool" && m.ToolCallID != "" {
			return fmt.Errorf("%s: members of another role than %q", at, m.Role)
		}
		kinds := map[string]string{"system": " text ", "user": " text image_url ", "assistant": " text thinking ", "tool": " text document "}[m.Role]
		if kinds == "" {
			return fmt.Errorf("%s: %q is no role", at, m.Role)
		}
		if len(m.Content) == 0 && (m.Role != "assistant" || len(m.ToolCalls) == 0) {
			return fmt.Errorf("%s: must have non-empty content or tool calls", at)
		}
		if err := checkCohereContent(m.Content, kinds); err != nil {
			return fmt.Errorf("%s.content: %w", at, err)
		}
		if m.Role == "tool" {
			if !open[m.ToolCallID] {
				return fmt.Errorf("%s: no call has the id %q", at, m.ToolCallID)
			}
			delete(open, m.ToolCallID)
		}
		for _, c := range m.ToolCalls {
			var arguments map[string]any
			if c.ID == "" || c.Type != "function" || c.Function.Name == "" || json.Unmarshal([]byte(c.Function.Arguments), &arguments) != nil {
				return fmt.Errorf("%s: a tool call wants id, type, name and arguments: %+v", at, c)
			}
			open[c.ID] = true
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("invalid request: tool calls have no results: %v", open)
	}
	return nil
}

func checkCohereContent(content json.RawMessage, kinds string) error {
	var s string
	if len(content) == 0 || json.Unmarshal(content, &s) == nil {
		return nil
	}
	var blocks []cohereBlock
	if err := decodeStrict(content, &blocks); err != nil {
		return err
	}
	for i, b := range blocks {
		has := map[string]bool{"text": b.Text != nil, "thinking": b.Thinking != nil, "image_url": b.ImageURL != nil && b.ImageURL.URL != "", "document": b.Document != nil}
		if !strings.Contains(kinds, " "+b.Type+" ") || !has[b.Type] {
			return fmt.Errorf("[%d]: type %q may not stand here, or lacks its member", i, b.Type)
		}
		if b.ImageURL != nil && !strings.HasPrefix(b.ImageURL.URL, "http") && !strings.HasPrefix(b.ImageURL.URL, "data:image/") {
			return fmt.Errorf("[%d]: %q is no URL of an image", i, b.ImageURL.URL)
		}
	}
	if len(blocks) == 0 {
		return errors.New("is empty")
	}
	return nil
}

type cohereCallV1 struct {
	Name       string         `json:"name"`
	Parameters map[string]any `json:"parameters"`
}

type cohereResultV1 struct {
	Call    cohereCallV1     `json:"call"`
	Outputs []map[string]any `json:"outputs"`
}

// pythonName matches the names that tools and parameters may have in version 1.
var pythonName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func checkCohereChatV1(body []byte) error {
	var q struct {
		cohereSampling
		Model   string  `json:"model"`
		Message *string `json:"message"`
		Stream  *bool   `json:"stream"`
		History []struct {
			Role        string           `json:"role"`
			Message     *string          `json:"message"`
			ToolCalls   []cohereCallV1   `json:"tool_calls"`
			ToolResults []cohereResultV1 `json:"tool_results"`
		} `json:"chat_history"`
		Preamble       string           `json:"preamble"`
		Documents      json.RawMessage  `json:"documents"`
		Connectors     json.RawMessage  `json:"connectors"`
		ConversationID string           `json:"conversation_id"`
		SafetyMode     string           `json:"safety_mode"`
		ToolResults    []cohereResultV1 `json:"tool_results"`
		ResponseFormat *struct {
			Type   string         `json:"type"`
			Schema map[string]any `json:"schema"`
		} `json:"response_format"`
		Tools []struct {
			Name        string  `json:"name"`
			Description *string `json:"description"`
			Parameters  map[string]struct {
				Type        string `json:"type"`
				Description string `json:"description"`
				Required    bool   `json:"required"`
			} `json:"parameter_definitions"`
		} `json:"tools"`
	}
	if err := decodeStrict(body, &q); err != nil {
		return fmt.Errorf("invalid request: %w", err)
	}
	if q.Message == nil || *q.Message == "" && len(q.ToolResults) == 0 {
		return errors.New("invalid request: message must be at least 1 token long or tool results must be specified")
	}
	if len(q.ToolResults) > 0 && len(q.Tools) == 0 {
		return errors.New("invalid request: tool_results need tools")
	}
	results := q.ToolResults
	for i, m := range q.History {
		switch m.Role {
		case "USER", "CHATBOT", "SYSTEM":
			if m.Message == nil || m.ToolResults != nil {
				return fmt.Errorf("invalid request: chat_history[%d] wants a message", i)
			}
		case "TOOL":
			if len(m.ToolResults) == 0 || m.Message != nil {
				return fmt.Errorf("invalid request: chat_history[%d] wants tool_results", i)
			}
			results = append(results, m.ToolResults...)
		default:
			return fmt.Errorf("invalid request: chat_history[%d].role %q", i, m.Role)
		}
		for _, c := range m.ToolCalls {
			if m.Role != "CHATBOT" || c.Name == "" || c.Parameters == nil {
				return fmt.Errorf("invalid request: chat_history[%d].tool_calls want name and parameters", i)
			}
		}
	}
	for _, r := range results {
		if r.Call.Name == "" || r.Call.Parameters == nil || len(r.Outputs) == 0 {
			return errors.New("invalid request: a tool result wants its call and outputs")
		}
	}
	for i, t := range q.Tools {
		if !pythonName.MatchString(t.Name) || t.Description == nil {
			return fmt.Errorf("invalid request: tools[%d] wants name and description", i)
		}
		for name, p := range t.Parameters {
			if !pythonName.MatchString(name) || p.Type == "" {
				return fmt.Errorf("invalid request: tools[%d].parameter_definitions.%s", i, name)
			}
		}
	}
	return q.check(1)
}

func checkCohereGenerate(body []byte) error {
	var q struct {
		cohereSampling
		Model          string   `json:"model"`
		Prompt         string   `json:"prompt"`
		Stream         *bool    `json:"stream"`
		NumGenerations *int     `json:"num_generations"`
		EndSequences   []string `json:"end_sequences"`
		Truncate       string   `json:"truncate"`
		Preset         string   `json:"preset"`
		RawPrompting   *bool    `json:"raw_prompting"`
	}
	if err := decodeStrict(body, &q); err != nil {
		return fmt.Errorf("invalid request: %w", err)
	}
	switch {
	case q.Prompt == "":
		return errors.New("invalid request: prompt must be at least 1 token long")
	case q.NumGenerations != nil && (*q.NumGenerations < 1 || *q.NumGenerations > 5):
		return errors.New("invalid request: num_generations must be between 1 and 5")
	}
	return q.check(1)
}
