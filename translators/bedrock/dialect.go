package bedrock

import (
	"fmt"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// Dialect is Converse and ConverseStream as a client speaks them. Model and
// Stream are in the URL and not set by ParseRequest. What only Bedrock has goes
// into Extra by its name, which other providers do not look at:
// guardrailConfig, additionalModelRequestFields, additionalModelResponseFieldPaths,
// performanceConfig and promptVariables.
//
// An error answer is of content type application/json and carries its type in
// the header X-Amzn-ErrorType, too: see errorType. A stream is of content type
// application/vnd.amazon.eventstream.
var Dialect chat.Dialect = dialect{}

type dialect struct{}

// ParseRequest implements chat.Dialect.
func (dialect) ParseRequest(v *jsonedit.Value) (*chat.Request, error) {
	r := &chat.Request{}
	if err := parseSystem(r, v.GetArray("system")); err != nil {
		return nil, err
	}
	messages := v.GetArray("messages")
	if len(messages) == 0 {
		return nil, &chat.RequestError{Field: "messages", Message: "is missing"}
	}
	for i, m := range messages {
		if err := parseMessage(r, i, m); err != nil {
			return nil, err
		}
	}
	if err := parseToolConfig(r, v.Get("toolConfig")); err != nil {
		return nil, err
	}
	if err := parseInference(r, v.Get("inferenceConfig")); err != nil {
		return nil, err
	}
	parseModelFields(r, v.Get("additionalModelRequestFields"))
	if err := parseOutput(r, v.Get("outputConfig")); err != nil {
		return nil, err
	}
	r.ServiceTier = v.GetString("serviceTier", "type")
	r.Metadata = rawOf(v.Get("requestMetadata"))
	for _, name := range []string{
		"guardrailConfig", "additionalModelRequestFields", "additionalModelResponseFieldPaths", "performanceConfig", "promptVariables",
	} {
		if value := rawOf(v.Get(name)); value != nil {
			r.Extra = append(r.Extra, chat.Member{Name: name, Value: value})
		}
	}
	r.FitTools()
	return r, nil
}

// parseSystem makes a message of each block. A cache point belongs to the block
// before it.
func parseSystem(r *chat.Request, blocks []*jsonedit.Value) error {
	for i, b := range blocks {
		m := chat.Message{Role: chat.System}
		if n := len(r.Messages); n > 0 && b.Exists("cachePoint") {
			r.Messages[n-1].Parts[0].CacheControl = cacheControl(b.Get("cachePoint"))
			continue
		}
		if err := appendPart(&m, b); err != nil {
			return within(err, "system[%d]", i)
		}
		if len(m.Parts) > 0 {
			r.Messages = append(r.Messages, m)
		}
	}
	return nil
}

func parseMessage(r *chat.Request, i int, v *jsonedit.Value) error {
	m := chat.Message{Role: chat.Role(v.GetStringBytes("role"))}
	switch m.Role {
	case chat.User, chat.Assistant, chat.System:
	default:
		return &chat.RequestError{Field: fmt.Sprintf("messages[%d].role", i), Message: fmt.Sprintf("must be user, assistant or system, not '%s'", m.Role)}
	}
	content := v.GetArray("content")
	if len(content) == 0 {
		return &chat.RequestError{Field: fmt.Sprintf("messages[%d].content", i), Message: "is missing"}
	}
	m.Parts = make([]chat.Part, 0, len(content))
	for j, b := range content {
		if err := appendPart(&m, b); err != nil {
			return within(err, "messages[%d].content[%d]", i, j)
		}
	}
	r.Messages = append(r.Messages, m)
	return nil
}

func parseToolConfig(r *chat.Request, v *jsonedit.Value) error {
	for i, t := range v.GetArray("tools") {
		at := fmt.Sprintf("toolConfig.tools[%d]", i)
		switch spec := t.Get("toolSpec"); {
		case spec != nil:
			tool := chat.Tool{Name: spec.GetString("name"), Description: spec.GetText("description"), Parameters: rawOf(spec.Get("inputSchema", "json"))}
			if tool.Name == "" {
				return &chat.RequestError{Field: at + ".toolSpec.name", Message: "is missing"}
			}
			if strict := spec.Get("strict"); strict != nil {
				on := strict.GetBool()
				tool.Strict = &on
			}
			r.Tools = append(r.Tools, tool)
		case t.Exists("cachePoint"):
			if n := len(r.Tools); n > 0 {
				r.Tools[n-1].CacheControl = cacheControl(t.Get("cachePoint"))
			}
		case t.Exists("systemTool"):
			r.Tools = append(r.Tools, chat.HostedTool(t.GetString("systemTool", "name"), "", rawOf(t)))
		default:
			return &chat.RequestError{Field: at, Message: "is no toolSpec, systemTool or cachePoint"}
		}
	}
	switch choice := v.Get("toolChoice"); {
	case choice == nil:
	case choice.Exists("auto"):
		r.ToolChoice.Mode = "auto"
	case choice.Exists("any"):
		r.ToolChoice.Mode = "required"
	case choice.Exists("tool"):
		r.ToolChoice = chat.ToolChoice{Mode: "function", Name: choice.GetString("tool", "name")}
	}
	return nil
}

func parseInference(r *chat.Request, v *jsonedit.Value) error {
	for _, n := range [...]struct {
		name string
		to   *chat.Number
	}{{"maxTokens", &r.MaxTokens}, {"temperature", &r.Temperature}, {"topP", &r.TopP}} {
		if m := v.Get(n.name); m != nil && m.Type() != jsonedit.TypeNull && !setNumber(n.to, m) {
			return &chat.RequestError{Field: "inferenceConfig." + n.name, Message: "must be a number"}
		}
	}
	for _, s := range v.GetArray("stopSequences") {
		r.Stop = append(r.Stop, s.GetString())
	}
	return nil
}

func setNumber(to *chat.Number, v *jsonedit.Value) bool {
	if v == nil || v.Type() != jsonedit.TypeNumber {
		return false
	}
	*to = chat.Number(v.Raw())
	return true
}

// parseModelFields reads the model fields that several makers have: top_k, and the
// settings for reasoning.
func parseModelFields(r *chat.Request, v *jsonedit.Value) {
	for _, path := range [][]string{{"top_k"}, {"topK"}, {"k"}, {"inferenceConfig", "topK"}} {
		setNumber(&r.TopK, v.Get(path...))
	}
	for _, path := range [][]string{{"reasoning_effort"}, {"reasoningConfig", "maxReasoningEffort"}, {"output_config", "effort"}} {
		if effort := v.GetString(path...); effort != "" {
			setEffort(r, effort)
		}
	}
	for _, name := range []string{"thinking", "reasoning_config"} {
		setNumber(&r.ReasoningBudget, v.Get(name, "budget_tokens"))
		kind := v.GetString(name, "type")
		if kind == "enabled" || kind == "adaptive" {
			r.Thoughts = v.GetString(name, "display") != "omitted"
		}
		switch kind {
		case "disabled":
			r.ReasoningEffort = "none"
		case "adaptive":
			if r.ReasoningEffort == "" {
				r.ReasoningEffort = "high" // Anthropic's default
			}
		}
	}
}

func setEffort(r *chat.Request, effort string) {
	if r.ReasoningEffort = effort; effort == "max" {
		r.ReasoningEffort = "xhigh"
	}
}

func parseOutput(r *chat.Request, v *jsonedit.Value) error {
	if effort := v.GetString("effort"); effort != "" {
		setEffort(r, effort)
	}
	s := v.Get("textFormat", "structure", "jsonSchema")
	if s == nil {
		return nil
	}
	schema := chat.Raw(s.GetString("schema"))
	if jsonedit.Valid(schema) != nil {
		return &chat.RequestError{Field: "outputConfig.textFormat.structure.jsonSchema.schema", Message: "must be the text of a JSON schema"}
	}
	r.ResponseFormat = chat.ResponseFormat{Type: "json_schema", Name: s.GetString("name"), Schema: schema}
	return nil
}
