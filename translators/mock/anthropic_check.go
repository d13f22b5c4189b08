package mock

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go-ai-proxy/translators/chat"
)

// anthropicRequest has every member of the API; others are refused.
type anthropicRequest struct {
	Model             string             `json:"model"`
	Messages          []anthropicMessage `json:"messages"`
	MaxTokens         *int               `json:"max_tokens"`
	System            json.RawMessage    `json:"system"`
	CacheControl      json.RawMessage    `json:"cache_control"`
	Compaction        json.RawMessage    `json:"compaction"`
	Container         json.RawMessage    `json:"container"`
	ContextManagement json.RawMessage    `json:"context_management"`
	Diagnostics       json.RawMessage    `json:"diagnostics"`
	Fallbacks         json.RawMessage    `json:"fallbacks"`
	FallbackCredit    json.RawMessage    `json:"fallback_credit_token"`
	InferenceGeo      *string            `json:"inference_geo"`
	MCPServers        json.RawMessage    `json:"mcp_servers"`
	Metadata          *struct {
		UserID *string `json:"user_id"`
	} `json:"metadata"`
	OutputConfig *struct {
		Effort     string          `json:"effort"`
		TaskBudget json.RawMessage `json:"task_budget"`
		Format     *struct {
			Type   string          `json:"type"`
			Schema json.RawMessage `json:"schema"`
		} `json:"format"`
	} `json:"output_config"`
	OutputFormat  json.RawMessage `json:"output_format"` // what output_config.format was in its beta
	ServiceTier   *string         `json:"service_tier"`
	Speed         *string         `json:"speed"`
	StopSequences []string        `json:"stop_sequences"`
	Stream        *bool           `json:"stream"`
	Temperature   *float64        `json:"temperature"`
	Thinking      *struct {
		Type    string `json:"type"`
		Budget  *int   `json:"budget_tokens"`
		Display string `json:"display"`
	} `json:"thinking"`
	ToolChoice *struct {
		Type            string `json:"type"`
		Name            string `json:"name"`
		DisableParallel *bool  `json:"disable_parallel_tool_use"`
	} `json:"tool_choice"`
	Tools []json.RawMessage `json:"tools"`
	TopK  *int              `json:"top_k"`
	TopP  *float64          `json:"top_p"`
}

type anthropicMessage struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

func checkAnthropic(body []byte) error {
	var q anthropicRequest
	if err := decodeStrict(body, &q); err != nil {
		return err
	}
	switch {
	case q.Model == "":
		return errors.New("model: Field required")
	case q.MaxTokens == nil:
		return errors.New("max_tokens: Field required")
	case *q.MaxTokens < 1:
		return errors.New("max_tokens: Input should be greater than or equal to 1")
	case len(q.Messages) == 0:
		return errors.New("messages: at least one message is required")
	case q.ServiceTier != nil && *q.ServiceTier != "auto" && *q.ServiceTier != "standard_only":
		return errors.New("service_tier: Input should be 'auto' or 'standard_only'")
	}
	if err := checkStops(q.StopSequences); err != nil {
		return fmt.Errorf("stop_sequences.%w", err)
	}
	for _, check := range []func() error{q.checkSampling, q.checkTools, q.checkOutput, q.checkSystem, q.checkMessages} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// newest lists models that decide themselves how to sample and how long to think.
var newest = regexp.MustCompile(`claude-(opus-4-[78]|(opus|sonnet|haiku)-5|fable|mythos)`)

func (q *anthropicRequest) checkSampling() error {
	sampling := q.Temperature != nil || q.TopP != nil || q.TopK != nil
	switch {
	case q.Temperature != nil && (*q.Temperature < 0 || *q.Temperature > 1):
		return errors.New("temperature: range: 0..1")
	case newest.MatchString(q.Model) && sampling:
		return errors.New("`temperature`, `top_p` and `top_k` are deprecated for this model")
	}
	if q.Thinking == nil {
		return nil
	}
	switch q.Thinking.Type {
	case "disabled", "between_tools":
		return nil
	case "adaptive":
	case "enabled":
		switch {
		case newest.MatchString(q.Model):
			return errors.New(`"thinking.type.enabled" is not supported for this model`)
		case q.Thinking.Budget == nil || *q.Thinking.Budget < 1024:
			return errors.New("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
		case *q.Thinking.Budget >= *q.MaxTokens:
			return errors.New("`max_tokens` must be greater than `thinking.budget_tokens`")
		}
	default:
		return fmt.Errorf("thinking.type: %q is no type", q.Thinking.Type)
	}
	switch {
	case q.Temperature != nil && *q.Temperature != 1:
		return errors.New("`temperature` may only be set to 1 when thinking is enabled or in adaptive mode")
	case q.TopK != nil:
		return errors.New("`top_k` must be unset when thinking is enabled")
	case q.TopP != nil && *q.TopP < 0.95:
		return errors.New("`top_p` must be greater than or equal to 0.95 when thinking is enabled")
	case q.ToolChoice != nil && (q.ToolChoice.Type == "any" || q.ToolChoice.Type == "tool"):
		return errors.New("thinking may not be enabled when tool_choice forces tool use")
	}
	return nil
}

var toolName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)

func (q *anthropicRequest) checkTools() error {
	names := map[string]bool{}
	for i, raw := range q.Tools {
		var tool struct {
			Type string `json:"type"`
			Name string `json:"name"`
		}
		if err := json.Unmarshal(raw, &tool); err != nil {
			return fmt.Errorf("tools.%d: %w", i, err)
		}
		if tool.Type != "" && tool.Type != "custom" {
			names[tool.Name] = true // a server tool
			continue
		}
		var custom struct {
			Type         string          `json:"type"`
			Name         string          `json:"name"`
			Description  string          `json:"description"`
			Strict       *bool           `json:"strict"`
			CacheControl json.RawMessage `json:"cache_control"`
			InputSchema  map[string]any  `json:"input_schema"`
			// https://platform.claude.com/docs/en/agents-and-tools/tool-use/tool-reference
			DeferLoading   *bool           `json:"defer_loading"`
			AllowedCallers []string        `json:"allowed_callers"`
			InputExamples  json.RawMessage `json:"input_examples"`
			EagerStreaming *bool           `json:"eager_input_streaming"`
		}
		if err := decodeStrict(raw, &custom); err != nil {
			return fmt.Errorf("tools.%d.custom: %w", i, err)
		}
		if err := checkTool(names, toolName, custom.Name, custom.InputSchema); err != nil {
			return fmt.Errorf("tools.%d.custom: %w", i, err)
		}
	}
	if c := q.ToolChoice; c != nil {
		switch {
		case len(q.Tools) == 0:
			return errors.New("tool_choice: may only be specified while providing tools")
		case c.Type == "tool" && !names[c.Name]:
			return fmt.Errorf("tool_choice: tool %q not found in provided tools", c.Name)
		case c.Type == "none" && c.DisableParallel != nil:
			return errors.New("tool_choice.none.disable_parallel_tool_use: Extra inputs are not permitted")
		case !strings.Contains(" auto any tool none ", " "+c.Type+" "):
			return fmt.Errorf("tool_choice: %q is no type", c.Type)
		}
	}
	return nil
}

func (q *anthropicRequest) checkOutput() error {
	if q.OutputConfig == nil {
		return nil
	}
	if e := q.OutputConfig.Effort; e != "" && !slices.Contains(efforts, e) {
		return fmt.Errorf("output_config.effort: %q is no level", e)
	}
	f := q.OutputConfig.Format
	if f == nil {
		return nil
	}
	if f.Type != "json_schema" {
		return errors.New("output_config.format.type: Input should be 'json_schema'")
	}
	var schema map[string]any
	if err := json.Unmarshal(f.Schema, &schema); err != nil {
		return fmt.Errorf("output_config.format.schema: %w", err)
	}
	if schema["type"] == "object" && schema["additionalProperties"] != false {
		return errors.New("output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false")
	}
	return nil
}

func (q *anthropicRequest) checkSystem() error {
	if len(q.System) == 0 || q.System[0] == '"' {
		return nil
	}
	var blocks []anthropicBlock
	if err := decodeStrict(q.System, &blocks); err != nil {
		return fmt.Errorf("system: %w", err)
	}
	for i, b := range blocks {
		if b.Type != "text" || blank(b.Text) {
			return fmt.Errorf("system.%d: must be a non-empty text block", i)
		}
	}
	return nil
}

// anthropicBlock has the members of all blocks that a client may send.
type anthropicBlock struct {
	Type         string           `json:"type"`
	Text         string           `json:"text"`
	Thinking     *string          `json:"thinking"`
	Signature    *string          `json:"signature"`
	Data         string           `json:"data"`
	ID           string           `json:"id"`
	Name         string           `json:"name"`
	Input        map[string]any   `json:"input"`
	Caller       json.RawMessage  `json:"caller"`
	ToolUseID    string           `json:"tool_use_id"`
	Content      json.RawMessage  `json:"content"`
	IsError      *bool            `json:"is_error"`
	CacheControl json.RawMessage  `json:"cache_control"`
	Citations    json.RawMessage  `json:"citations"`
	Title        *string          `json:"title"`
	Context      *string          `json:"context"`
	Source       *anthropicSource `json:"source"`
}

type anthropicSource struct {
	Type      string          `json:"type"`
	MediaType string          `json:"media_type"`
	Data      string          `json:"data"`
	URL       string          `json:"url"`
	FileID    string          `json:"file_id"`
	Content   json.RawMessage `json:"content"`
}

func (q *anthropicRequest) checkMessages() error {
	c := turns{call: "tool_use", result: "tool_result"}
	for i, m := range q.Messages {
		err := c.begin(m.Role)
		if err == nil {
			err = m.check(&c, i == len(q.Messages)-1)
		}
		if err != nil {
			return fmt.Errorf("messages.%d: %w", i, err)
		}
	}
	return c.close(len(q.Tools) > 0)
}

// check checks a turn of c. Results come before anything else.
func (m *anthropicMessage) check(c *turns, last bool) error {
	blocks, err := anthropicBlocks(m.Content)
	if err != nil {
		return fmt.Errorf("content: %w", err)
	}
	if len(blocks) == 0 {
		return errors.New("must have non-empty content")
	}
	results, calls := map[string]bool{}, []string(nil)
	for j := range blocks {
		b := &blocks[j]
		if err := b.check(m.Role); err != nil {
			return fmt.Errorf("content.%d: %w", j, err)
		}
		switch b.Type {
		case "tool_result":
			if len(results) < j {
				return fmt.Errorf("content.%d: tool_result blocks must come first", j)
			}
			results[b.ToolUseID] = true
		case "tool_use":
			calls = append(calls, b.ID)
		}
	}
	if text := blocks[len(blocks)-1].Text; last && m.Role == "assistant" && strings.TrimRight(text, " \n\t") != text {
		return errors.New("final assistant content cannot end with trailing whitespace")
	}
	return c.end(results, calls)
}

func anthropicBlocks(content json.RawMessage) ([]anthropicBlock, error) {
	var s string
	if json.Unmarshal(content, &s) == nil {
		return []anthropicBlock{{Type: "text", Text: s}}, nil
	}
	var blocks []anthropicBlock
	return blocks, decodeStrict(content, &blocks)
}

var toolUseID = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

func (b *anthropicBlock) check(role string) error {
	roles := map[string]string{
		"text": "user assistant", "image": "user", "document": "user", "tool_result": "user",
		"tool_use": "assistant", "thinking": "assistant", "redacted_thinking": "assistant",
	}
	if !strings.Contains(roles[b.Type], role) {
		return fmt.Errorf("%q may not stand in a turn of %s", b.Type, role)
	}
	switch b.Type {
	case "text":
		if blank(b.Text) {
			return errors.New("text content blocks must contain non-whitespace text")
		}
	case "image", "document":
		return b.Source.check(b.Type)
	case "tool_use":
		if !toolUseID.MatchString(b.ID) || !toolName.MatchString(b.Name) || b.Input == nil {
			return fmt.Errorf("tool_use wants id, name and an object as input, got %q %q %v", b.ID, b.Name, b.Input)
		}
	case "tool_result":
		return b.checkResult()
	case "thinking":
		if b.Thinking == nil || b.Signature == nil || !signed(*b.Thinking, *b.Signature) {
			return errors.New("invalid `signature` in `thinking` block")
		}
	case "redacted_thinking":
		if b.Data == "" {
			return errors.New("invalid `data` in `redacted_thinking` block")
		}
	}
	return nil
}

func (b *anthropicBlock) checkResult() error {
	if b.ToolUseID == "" {
		return errors.New("tool_use_id: Field required")
	}
	if len(b.Content) == 0 {
		return nil
	}
	inner, err := anthropicBlocks(b.Content)
	if err != nil {
		return err
	}
	for i := range inner {
		if t := inner[i].Type; t != "text" && t != "image" && t != "document" {
			return fmt.Errorf("content.%d: %q may not stand in a tool_result", i, t)
		}
		if err := inner[i].check("user"); err != nil && string(b.Content) != `""` {
			return fmt.Errorf("content.%d: %w", i, err)
		}
	}
	return nil
}

// signed reports whether the mock itself made this thinking: Anthropic refuses thinking
// that a client has changed.
func signed(thinking, signature string) bool {
	for _, s := range Scenarios {
		for _, c := range s.Answer.Choices {
			for _, p := range c.Parts {
				if p.Kind == chat.Thinking && p.Signature == signature && p.Text.String() == thinking {
					return true
				}
			}
		}
	}
	return false
}

func (s *anthropicSource) check(block string) error {
	if s == nil {
		return errors.New("source: Field required")
	}
	switch s.Type {
	case "base64":
		types := map[string]string{"image": " image/jpeg image/png image/gif image/webp ", "document": " application/pdf "}[block]
		if !strings.Contains(types, " "+s.MediaType+" ") {
			return fmt.Errorf("source.base64.media_type: %q is not one of%s", s.MediaType, types)
		}
		if !validBase64(s.Data) {
			return errors.New("source.base64.data: invalid base64 data")
		}
	case "url":
		if !strings.HasPrefix(s.URL, "http") {
			return errors.New("source.url.url: Only HTTPS URLs are supported")
		}
	case "file":
		if s.FileID == "" {
			return errors.New("source.file.file_id: Field required")
		}
	case "text":
		if block != "document" || s.MediaType != "text/plain" || s.Data == "" {
			return errors.New("source.text: wants text/plain and data")
		}
	default:
		return fmt.Errorf("source.type: %q is no type", s.Type)
	}
	return nil
}
