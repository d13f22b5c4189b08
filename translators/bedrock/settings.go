package bedrock

import (
	"slices"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// settings are the settings of a request in the form that the model accepts.
type settings struct {
	maxTokens, temperature, topP, topK chat.Number
	effort                             string   // outputConfig.effort
	thinking                           []byte   // Claude's
	schema                             chat.Raw // of the answer
}

// decide chooses those of the client's settings that the model accepts.
func (q *query) decide(t *target.Target) (settings, error) {
	s := settings{maxTokens: q.MaxTokens.AtMost(q.model.output), temperature: atMostOne(q.Temperature), topP: q.TopP, topK: q.TopK}
	switch q.ResponseFormat.Type {
	case "json_schema":
		if s.schema = q.ResponseFormat.Schema; len(s.schema) == 0 {
			return s, &chat.RequestError{Field: "response_format.json_schema.schema", Message: "is missing"}
		}
	case "", "text", "json_object":
	default:
		return s, &chat.RequestError{Field: "response_format.type", Message: "must be text, json_object or json_schema"}
	}
	switch {
	case q.model.claude:
		return s, q.decideClaude(&s, t)
	case q.model.effort == effortConfig:
		s.effort = q.model.level(effortWord(q.Request))
	case q.model.effort == effortNova && q.model.level(effortWord(q.Request)) == "high":
		// https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html
		s.maxTokens, s.temperature, s.topP, s.topK = "", "", "", ""
	}
	if q.model.topK == "" {
		s.topK = ""
	}
	return s, nil
}

// atMostOne keeps a temperature within what Converse takes; OpenAI's goes to 2.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InferenceConfiguration.html
func atMostOne(temperature chat.Number) chat.Number {
	if f, ok := temperature.Float(); ok && f > 1 {
		return "1"
	}
	return temperature
}

// decideClaude uses package anthropic, which knows Claude models: which sampling
// parameters a model accepts together and with thinking, how thinking is turned on,
// and what a schema must have.
func (q *query) decideClaude(s *settings, t *target.Target) error {
	format := q.ResponseFormat
	if format.Type != "json_schema" {
		format = chat.ResponseFormat{}
	}
	probe := chat.Request{
		Messages:  []chat.Message{{Role: chat.User, Parts: []chat.Part{*chat.Opening}}},
		MaxTokens: q.MaxTokens, Temperature: q.Temperature, TopP: q.TopP, TopK: q.TopK,
		ReasoningEffort: q.ReasoningEffort, ReasoningBudget: q.ReasoningBudget,
		ToolChoice: q.ToolChoice, ResponseFormat: format,
	}
	if thinking := q.Lookup("thinking"); thinking != nil {
		probe.Extra = []chat.Member{{Name: "thinking", Value: thinking}}
	}
	if q.formatByTool() {
		probe.ToolChoice.Mode = "required"
	}
	if chat.UnsignedToolLoop(q.turns) {
		probe.Messages = append(probe.Messages,
			chat.Message{Role: chat.Assistant, Parts: []chat.Part{{Kind: chat.ToolCall, ID: "1", Name: "f", Arguments: jsonedit.Plain("{}")}}},
			chat.Message{Role: chat.ToolRole, Parts: []chat.Part{{Kind: chat.ToolResult, ID: "1"}}})
	}
	body, err := anthropic.Messages.AppendRequest(nil, t, &probe)
	if err != nil {
		return err
	}
	answer, err := jsonedit.Object(body, nil)
	if err != nil {
		return &chat.RequestError{Message: "settings for Claude: " + err.Error()}
	}
	if q.MaxTokens != "" { // optional in Converse
		s.maxTokens = chat.Number(jsonedit.Find(answer, "max_tokens")).AtMost(q.model.output)
	}
	s.temperature = chat.Number(jsonedit.Find(answer, "temperature"))
	s.topP = chat.Number(jsonedit.Find(answer, "top_p"))
	if q.model.topK != "" {
		s.topK = chat.Number(jsonedit.Find(answer, "top_k"))
	}
	s.thinking = jsonedit.Find(answer, "thinking")
	if output := jsonedit.Find(answer, "output_config"); output != nil {
		if q.model.effort == effortConfig {
			s.effort, _ = jsonedit.String(jsonedit.Lookup(output, "effort"))
		}
		if schema := jsonedit.Lookup(output, "format", "schema"); schema != nil {
			s.schema = schema
		}
	}
	return nil
}

// effortWord returns the requested effort as Converse has it (low, medium, high,
// xhigh, max), or "" if there is none. A budget in tokens is turned into a word.
func effortWord(q *chat.Request) string {
	switch q.ReasoningEffort {
	case "none":
		return ""
	case "minimal":
		return "low"
	case "":
		budget, ok := q.ReasoningBudget.Int()
		switch {
		case !ok || budget <= 0:
			return ""
		case budget <= 2048:
			return "low"
		case budget <= 8192:
			return "medium"
		}
		return "high"
	}
	return q.ReasoningEffort
}

// appendReasoning writes the members of additionalModelRequestFields about reasoning.
func (q *query) appendReasoning(o []byte) []byte {
	if q.settings.thinking != nil {
		return jsonedit.AppendRaw(o, "thinking", q.settings.thinking)
	}
	word := q.model.level(effortWord(q.Request))
	if q.ReasoningEffort == "none" && slices.Contains(q.model.efforts, "none") {
		word = "none"
	}
	switch q.model.effort {
	case effortField:
		o = jsonedit.AppendOptional(o, "reasoning_effort", word)
	case effortNested:
		if word != "" {
			o = append(jsonedit.AppendText(append(jsonedit.AppendName(o, "reasoning"), '{'), "effort", word), '}')
		}
	case effortNova:
		switch {
		case word != "":
			o = append(jsonedit.AppendText(jsonedit.AppendText(append(jsonedit.AppendName(o, "reasoningConfig"), '{'), "type", "enabled"), "maxReasoningEffort", word), '}')
		case q.ReasoningEffort == "none":
			o = append(jsonedit.AppendText(append(jsonedit.AppendName(o, "reasoningConfig"), '{'), "type", "disabled"), '}')
		}
	}
	return o
}
