package mock

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"go-ai-proxy/translators/chat"
)

func init() {
	register(openAIChat{})
	register(openAICompletions{})
}

// openAIChat is POST …/chat/completions, of OpenAI and of compatible APIs.
// https://platform.openai.com/docs/api-reference/chat/create
type openAIChat struct{ openAIErrors }

// openAIErrors are the errors of all of OpenAI's formats.
type openAIErrors struct{}

func (openAIErrors) Error(status int, message string) []byte { return openAIError(status, message) }

func (openAIErrors) StreamError(message string) []byte {
	return sse("", string(openAIError(http.StatusInternalServerError, message)))
}

func (openAIChat) Name() string { return "openai/chat" }

func (openAIChat) Match(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, "/chat/completions")
}

func (openAIChat) Streamed(_ *http.Request, body []byte) bool { return asksForStream(body) }

func (openAIChat) Whole(s *Scenario, _ []byte) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `{"id":%s,"object":"chat.completion","created":%d,"model":%s,"choices":[`, quote("chatcmpl-"+s.Answer.ID), s.Answer.Created, quote(s.Answer.Model))
	for i, c := range s.Answer.Choices {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"index":%d,"message":{"role":"assistant","content":%s,"refusal":%s`, c.Index, contentOrNull(c.Parts), orNull(joined(c.Parts, chat.Refusal)))
		if t := joined(c.Parts, chat.Thinking); t != "" {
			fmt.Fprintf(&b, `,"reasoning_content":%s`, quote(t))
		}
		for j, p := range calls(c.Parts) {
			sep := ","
			if j == 0 {
				sep = `,"tool_calls":[`
			}
			fmt.Fprintf(&b, `%s{"id":%s,"type":"function","function":{"name":%s,"arguments":%s}}`, sep, quote(p.ID), quote(p.Name), quoteASCII(p.Arguments.String()))
		}
		if len(calls(c.Parts)) > 0 {
			b.WriteByte(']')
		}
		fmt.Fprintf(&b, `},"logprobs":null,"finish_reason":%s}`, quote(string(c.Finish)))
	}
	fmt.Fprintf(&b, `],"usage":%s,"service_tier":"default","system_fingerprint":"fp_mock"}`, openAIUsage(&s.Answer.Usage))
	return []byte(b.String())
}

func (openAIChat) Stream(s *Scenario, body []byte) (string, [][]byte) {
	head := fmt.Sprintf(`{"id":%s,"object":"chat.completion.chunk","created":%d,"model":%s,"service_tier":"default","system_fingerprint":"fp_mock"`, quote("chatcmpl-"+s.Answer.ID), s.Answer.Created, quote(s.Answer.Model))
	usage := asksForUsage(body)
	null := ""
	if usage {
		null = `,"usage":null`
	}
	var events [][]byte
	delta := func(choice int, delta, finish string) {
		events = append(events, sse("", fmt.Sprintf(`%s,"choices":[{"index":%d,"delta":%s,"logprobs":null,"finish_reason":%s}]%s}`, head, choice, delta, finish, null)))
	}
	for _, c := range s.Answer.Choices {
		delta(c.Index, `{"role":"assistant","content":"","refusal":null}`, "null")
		toolIndex := 0
		for _, p := range c.Parts {
			openAIDeltas(p, toolIndex, s.Pieces, func(d string) { delta(c.Index, d, "null") })
			if p.Kind == chat.ToolCall {
				toolIndex++
			}
		}
	}
	for _, c := range s.Answer.Choices {
		delta(c.Index, `{}`, quote(string(c.Finish)))
	}
	if usage {
		events = append(events, sse("", head+`,"choices":[],"usage":`+openAIUsage(&s.Answer.Usage)+`}`))
	}
	return "text/event-stream", append(events, sse("", "[DONE]"))
}

// openAIDeltas emits the deltas of one part.
func openAIDeltas(p chat.Part, toolIndex, pieces int, emit func(string)) {
	member := map[chat.PartKind]string{chat.Text: "content", chat.Thinking: "reasoning_content", chat.Refusal: "refusal"}
	if p.Kind == chat.ToolCall {
		emit(fmt.Sprintf(`{"tool_calls":[{"index":%d,"id":%s,"type":"function","function":{"name":%s,"arguments":""}}]}`, toolIndex, quote(p.ID), quote(p.Name)))
		for i, t := range Cut(p.Arguments.String(), pieces) {
			emit(fmt.Sprintf(`{"tool_calls":[{"index":%d,"function":{"arguments":%s}}]}`, toolIndex, quoteNth(i, t)))
		}
		return
	}
	for i, t := range Cut(p.Text.String(), pieces) {
		emit(fmt.Sprintf(`{%q:%s}`, member[p.Kind], quoteNth(i, t)))
	}
}

// Check refuses what OpenAI refuses.
func (openAIChat) Check(r *http.Request, body []byte) error {
	if err := checkPost(r); err != nil {
		return err
	}
	var q openAIRequest
	if err := decodeStrict(body, &q); err != nil {
		return err
	}
	return q.check()
}

func checkPost(r *http.Request) error {
	if r.Method != http.MethodPost {
		return fmt.Errorf("method: want POST, got %s", r.Method)
	}
	if ct := r.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/json") {
		return fmt.Errorf("content-type: want application/json, got %q", ct)
	}
	return nil
}

// openAIRequest has every member of the API, and some of compatible APIs; others are
// refused. Which API takes which, Options.Refuses says.
type openAIRequest struct {
	Model               string           `json:"model"`
	Messages            []openAIMessage  `json:"messages"`
	Audio               json.RawMessage  `json:"audio"`
	FrequencyPenalty    *float64         `json:"frequency_penalty"`
	FunctionCall        json.RawMessage  `json:"function_call"`
	Functions           json.RawMessage  `json:"functions"`
	LogitBias           map[string]int   `json:"logit_bias"`
	Logprobs            *bool            `json:"logprobs"`
	MaxCompletionTokens *int             `json:"max_completion_tokens"`
	MaxTokens           *int             `json:"max_tokens"`
	Metadata            map[string]any   `json:"metadata"`
	Modalities          []string         `json:"modalities"`
	N                   *int             `json:"n"`
	ParallelToolCalls   *bool            `json:"parallel_tool_calls"`
	Prediction          json.RawMessage  `json:"prediction"`
	PresencePenalty     *float64         `json:"presence_penalty"`
	PromptCacheKey      *string          `json:"prompt_cache_key"`
	PromptCacheTTL      *string          `json:"prompt_cache_retention"`
	ReasoningEffort     *string          `json:"reasoning_effort"`
	ResponseFormat      *responseFormat  `json:"response_format"`
	SafetyIdentifier    *string          `json:"safety_identifier"`
	Seed                *int             `json:"seed"`
	ServiceTier         *string          `json:"service_tier"`
	Stop                json.RawMessage  `json:"stop"`
	Store               *bool            `json:"store"`
	Stream              *bool            `json:"stream"`
	StreamOptions       *json.RawMessage `json:"stream_options"`
	Temperature         *float64         `json:"temperature"`
	Thinking            json.RawMessage  `json:"thinking"` // of DeepSeek, Kimi and Databricks
	ToolChoice          json.RawMessage  `json:"tool_choice"`
	Tools               []openAITool     `json:"tools"`
	TopK                *int             `json:"top_k"` // of vLLM and others
	TopLogprobs         *int             `json:"top_logprobs"`
	TopP                *float64         `json:"top_p"`
	User                *string          `json:"user"`
	Verbosity           *string          `json:"verbosity"`
	WebSearchOptions    json.RawMessage  `json:"web_search_options"`
	// Of hosted tools: Groq's, Perplexity's, Databricks' and Alibaba's.
	CompoundCustom     json.RawMessage `json:"compound_custom"`
	GoogleSearch       json.RawMessage `json:"google_search"`
	SearchSettings     json.RawMessage `json:"search_settings"`
	SearchDomainFilter []string        `json:"search_domain_filter"`
	EnableSearch       *bool           `json:"enable_search"`
	SearchOptions      json.RawMessage `json:"search_options"`
}

type responseFormat struct {
	Type       string `json:"type"`
	JSONSchema *struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Schema      json.RawMessage `json:"schema"`
		Strict      *bool           `json:"strict"`
	} `json:"json_schema"`
}

type openAITool struct {
	Type   string          `json:"type"`
	Custom json.RawMessage `json:"custom"`
	// Parameters of OpenRouter's server tools.
	Parameters json.RawMessage `json:"parameters"`
	Function   *struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
		Strict      *bool           `json:"strict"`
	} `json:"function"`
}

// openAIMessage also has the members for thinking that a client sends back
// (reasoning_content, or reasoning as vLLM calls it, and thinking_blocks).
type openAIMessage struct {
	Role             string          `json:"role"`
	Content          json.RawMessage `json:"content"`
	Name             string          `json:"name"`
	Refusal          *string         `json:"refusal"`
	Audio            json.RawMessage `json:"audio"`
	Annotations      json.RawMessage `json:"annotations"`
	FunctionCall     json.RawMessage `json:"function_call"`
	ToolCallID       string          `json:"tool_call_id"`
	ReasoningContent *string         `json:"reasoning_content"`
	Reasoning        *string         `json:"reasoning"`
	ThinkingBlocks   json.RawMessage `json:"thinking_blocks"`
	ToolCalls        []struct {
		ID       string          `json:"id"`
		Type     string          `json:"type"`
		Extra    json.RawMessage `json:"extra_content"`
		Function *struct {
			Name      string  `json:"name"`
			Arguments *string `json:"arguments"`
		} `json:"function"`
	} `json:"tool_calls"`
}

func (q *openAIRequest) check() error {
	switch {
	case q.Model == "":
		return errors.New("you must provide a model parameter")
	case len(q.Messages) == 0:
		return errors.New("messages: array too short, expected a minimum length of 1")
	case q.StreamOptions != nil && (q.Stream == nil || !*q.Stream):
		return errors.New("stream_options: only allowed when stream is set")
	case len(q.ToolChoice) > 0 && len(q.Tools) == 0:
		return errors.New("tool_choice: only allowed when tools are specified")
	case q.MaxTokens != nil && q.MaxCompletionTokens != nil:
		return errors.New("max_tokens and max_completion_tokens cannot both be set")
	case q.Temperature != nil && (*q.Temperature < 0 || *q.Temperature > 2):
		return errors.New("temperature: expected a value between 0 and 2")
	case q.TopLogprobs != nil && (q.Logprobs == nil || !*q.Logprobs):
		return errors.New("top_logprobs: needs logprobs")
	case q.ResponseFormat != nil && q.ResponseFormat.Type == "json_schema" && (q.ResponseFormat.JSONSchema == nil || q.ResponseFormat.JSONSchema.Name == ""):
		return errors.New("response_format.json_schema.name: missing")
	}
	for i, t := range q.Tools {
		if t.Type == "function" && (t.Function == nil || t.Function.Name == "") {
			return fmt.Errorf("tools[%d].function.name: missing", i)
		}
		if t.Type == "" {
			return fmt.Errorf("tools[%d].type: missing", i)
		}
	}
	return q.checkMessages()
}

// checkMessages checks the order of calls and results: each call must be answered by a
// tool message before any other message, and a tool message must answer a call.
func (q *openAIRequest) checkMessages() error {
	open := map[string]bool{}
	for i, m := range q.Messages {
		at := fmt.Sprintf("messages[%d]", i)
		if m.Role != "tool" && len(open) > 0 {
			return fmt.Errorf("%s: an assistant message with tool_calls must be followed by tool messages for each tool_call_id; %d missing", at, len(open))
		}
		switch m.Role {
		case "system", "developer", "user", "function":
			if len(m.ToolCalls) > 0 || m.ToolCallID != "" {
				return fmt.Errorf("%s: tool members in a %s message", at, m.Role)
			}
		case "assistant":
			for j, c := range m.ToolCalls {
				if c.ID == "" || c.Type != "function" || c.Function == nil || c.Function.Name == "" || c.Function.Arguments == nil {
					return fmt.Errorf("%s.tool_calls[%d]: wants id, type, function.name and function.arguments", at, j)
				}
				open[c.ID] = true
			}
		case "tool":
			if !open[m.ToolCallID] {
				return fmt.Errorf("%s: tool_call_id %q was not called", at, m.ToolCallID)
			}
			delete(open, m.ToolCallID)
		default:
			return fmt.Errorf("%s.role: invalid value %q", at, m.Role)
		}
		if err := checkContent(at, &m); err != nil {
			return err
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("messages: %d tool calls have no answer", len(open))
	}
	return nil
}

func checkContent(at string, m *openAIMessage) error {
	var s string
	if len(m.Content) == 0 || string(m.Content) == "null" {
		if m.Role == "assistant" && (len(m.ToolCalls) > 0 || m.Refusal != nil || len(m.Audio) > 0 || len(m.FunctionCall) > 0) {
			return nil
		}
		return fmt.Errorf("%s.content: expected a string, got null", at)
	}
	if json.Unmarshal(m.Content, &s) == nil {
		return nil
	}
	var parts []map[string]json.RawMessage
	if err := json.Unmarshal(m.Content, &parts); err != nil || len(parts) == 0 {
		return fmt.Errorf("%s.content: expected a string or a list of parts", at)
	}
	allowed := map[string]string{"user": " text image_url input_audio file ", "assistant": " text refusal "}[m.Role]
	if allowed == "" {
		allowed = " text "
	}
	for j, p := range parts {
		var typ string
		if err := json.Unmarshal(p["type"], &typ); err != nil || !strings.Contains(allowed, " "+typ+" ") {
			return fmt.Errorf("%s.content[%d].type: invalid value %q for role %s", at, j, typ, m.Role)
		}
		if p[typ] == nil {
			return fmt.Errorf("%s.content[%d].%s: missing", at, j, typ)
		}
	}
	return nil
}

func contentOrNull(parts []chat.Part) string {
	t := joined(parts, chat.Text)
	if t == "" && (len(calls(parts)) > 0 || joined(parts, chat.Refusal) != "") {
		return "null"
	}
	return quote(t)
}

func orNull(s string) string {
	if s == "" {
		return "null"
	}
	return quote(s)
}

func openAIUsage(u *chat.Usage) string {
	return fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,"prompt_tokens_details":{"cached_tokens":%d,"audio_tokens":0},`+
		`"completion_tokens_details":{"reasoning_tokens":%d,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`,
		u.Prompt, u.Completion, u.TotalTokens(), u.Cached, u.Reasoning)
}

func openAIError(status int, message string) []byte {
	typ, code := "invalid_request_error", "null"
	switch {
	case status == http.StatusTooManyRequests:
		typ, code = "rate_limit_error", `"rate_limit_exceeded"`
	case status >= 500:
		typ = "server_error"
	}
	return fmt.Appendf(nil, `{"error":{"message":%s,"type":%q,"code":%s,"param":null}}`, quote(message), typ, code)
}

func asksForStream(body []byte) bool {
	var q struct {
		Stream bool `json:"stream"`
	}
	return json.Unmarshal(body, &q) == nil && q.Stream
}

func asksForUsage(body []byte) bool {
	var q struct {
		StreamOptions struct {
			IncludeUsage bool `json:"include_usage"`
		} `json:"stream_options"`
	}
	return json.Unmarshal(body, &q) == nil && q.StreamOptions.IncludeUsage
}

// openAICompletions is POST …/completions, the format before chat.
// https://platform.openai.com/docs/api-reference/completions/create
type openAICompletions struct{ openAIErrors }

func (openAICompletions) Name() string { return "openai/completions" }

func (openAICompletions) Match(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, "/completions") && !strings.HasSuffix(r.URL.Path, "/chat/completions")
}

func (openAICompletions) Streamed(_ *http.Request, body []byte) bool { return asksForStream(body) }

func (openAICompletions) Check(r *http.Request, body []byte) error {
	if err := checkPost(r); err != nil {
		return err
	}
	var q map[string]json.RawMessage
	if err := json.Unmarshal(body, &q); err != nil {
		return err
	}
	for name := range q {
		if !strings.Contains(" model prompt best_of echo frequency_penalty logit_bias logprobs max_tokens n presence_penalty seed stop stream stream_options suffix temperature top_k top_p user ", " "+name+" ") {
			return fmt.Errorf("unrecognized request argument supplied: %s", name)
		}
	}
	if len(q["model"]) == 0 || len(q["prompt"]) == 0 {
		return errors.New("model and prompt are required")
	}
	return nil
}

func (openAICompletions) Whole(s *Scenario, _ []byte) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `{"id":%s,"object":"text_completion","created":%d,"model":%s,"choices":[`, quote("cmpl-"+s.Answer.ID), s.Answer.Created, quote(s.Answer.Model))
	for i, c := range s.Answer.Choices {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"text":%s,"index":%d,"logprobs":null,"finish_reason":%s}`, quote(joined(c.Parts, chat.Text)), c.Index, quote(string(c.Finish)))
	}
	fmt.Fprintf(&b, `],"usage":%s}`, openAIUsage(&s.Answer.Usage))
	return []byte(b.String())
}

func (openAICompletions) Stream(s *Scenario, body []byte) (string, [][]byte) {
	head := fmt.Sprintf(`{"id":%s,"object":"text_completion","created":%d,"model":%s`, quote("cmpl-"+s.Answer.ID), s.Answer.Created, quote(s.Answer.Model))
	var events [][]byte
	for _, c := range s.Answer.Choices {
		for i, t := range Cut(joined(c.Parts, chat.Text), s.Pieces) {
			events = append(events, sse("", fmt.Sprintf(`%s,"choices":[{"text":%s,"index":%d,"logprobs":null,"finish_reason":null}]}`, head, quoteNth(i, t), c.Index)))
		}
		events = append(events, sse("", fmt.Sprintf(`%s,"choices":[{"text":"","index":%d,"logprobs":null,"finish_reason":%s}]}`, head, c.Index, quote(string(c.Finish)))))
	}
	if asksForUsage(body) {
		events = append(events, sse("", head+`,"choices":[],"usage":`+openAIUsage(&s.Answer.Usage)+`}`))
	}
	return "text/event-stream", append(events, sse("", "[DONE]"))
}
