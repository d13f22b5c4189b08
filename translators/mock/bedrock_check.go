package mock

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// bedrockRequest has every member of the API. Others are refused, although the service
// itself ignores them. anthropic_version is not a member of the API; it is accepted
// because Kong sends it.
type bedrockRequest struct {
	signs     bool             // the model is Claude, which takes no thought without its signature
	Messages  []bedrockMessage `json:"messages"`
	System    []bedrockContent `json:"system"`
	Inference *struct {
		MaxTokens     *int     `json:"maxTokens"`
		Temperature   *float64 `json:"temperature"`
		TopP          *float64 `json:"topP"`
		StopSequences []string `json:"stopSequences"`
	} `json:"inferenceConfig"`
	ToolConfig *struct {
		Tools  []bedrockTool              `json:"tools"`
		Choice map[string]json.RawMessage `json:"toolChoice"`
	} `json:"toolConfig"`
	Guardrail *struct {
		Identifier string `json:"guardrailIdentifier"`
		Version    string `json:"guardrailVersion"`
		Trace      string `json:"trace"`
		Processing string `json:"streamProcessingMode"`
	} `json:"guardrailConfig"`
	Output *struct {
		Effort     *string `json:"effort"`
		TextFormat *struct {
			Type      string `json:"type"`
			Structure struct {
				JSONSchema *struct {
					Schema      string `json:"schema"`
					Name        string `json:"name"`
					Description string `json:"description"`
				} `json:"jsonSchema"`
			} `json:"structure"`
		} `json:"textFormat"`
	} `json:"outputConfig"`
	Performance *struct {
		Latency string `json:"latency"`
	} `json:"performanceConfig"`
	ServiceTier *struct {
		Type string `json:"type"`
	} `json:"serviceTier"`
	ModelFields      map[string]json.RawMessage `json:"additionalModelRequestFields"`
	ResponsePaths    []string                   `json:"additionalModelResponseFieldPaths"`
	PromptVariables  json.RawMessage            `json:"promptVariables"`
	RequestMetadata  map[string]string          `json:"requestMetadata"`
	AnthropicVersion *string                    `json:"anthropic_version"`
}

type bedrockMessage struct {
	Role    string           `json:"role"`
	Content []bedrockContent `json:"content"`
}

// bedrockContent is a union: one of its members is set.
type bedrockContent struct {
	Text         *string         `json:"text"`
	Image        *bedrockMedia   `json:"image"`
	Document     *bedrockMedia   `json:"document"`
	Video        *bedrockMedia   `json:"video"`
	Audio        *bedrockMedia   `json:"audio"`
	GuardContent json.RawMessage `json:"guardContent"`
	SearchResult json.RawMessage `json:"searchResult"`
	Citations    json.RawMessage `json:"citationsContent"`
	ToolAddition json.RawMessage `json:"toolAddition"`
	ToolRemoval  json.RawMessage `json:"toolRemoval"`
	JSON         map[string]any  `json:"json"`
	CachePoint   *struct {
		Type string `json:"type"`
		TTL  string `json:"ttl"`
	} `json:"cachePoint"`
	Reasoning *struct {
		Text *struct {
			Text      string `json:"text"`
			Signature string `json:"signature"`
		} `json:"reasoningText"`
		Redacted *string `json:"redactedContent"`
	} `json:"reasoningContent"`
	ToolUse *struct {
		ID    string         `json:"toolUseId"`
		Name  string         `json:"name"`
		Type  string         `json:"type"`
		Input map[string]any `json:"input"`
	} `json:"toolUse"`
	ToolResult *struct {
		ID      string           `json:"toolUseId"`
		Content []bedrockContent `json:"content"`
		Status  string           `json:"status"`
		Type    string           `json:"type"`
	} `json:"toolResult"`
}

type bedrockMedia struct {
	Format    string          `json:"format"`
	Name      string          `json:"name"`
	Context   string          `json:"context"`
	Citations json.RawMessage `json:"citations"`
	Source    struct {
		Bytes   string          `json:"bytes"`
		Text    string          `json:"text"`
		Content json.RawMessage `json:"content"`
		S3      *struct {
			URI   string `json:"uri"`
			Owner string `json:"bucketOwner"`
		} `json:"s3Location"`
	} `json:"source"`
}

type bedrockTool struct {
	Spec *struct {
		Name        string  `json:"name"`
		Description *string `json:"description"`
		Strict      *bool   `json:"strict"`
		Schema      struct {
			JSON map[string]any `json:"json"`
		} `json:"inputSchema"`
	} `json:"toolSpec"`
	System *struct {
		Name string `json:"name"`
	} `json:"systemTool"`
	CachePoint json.RawMessage `json:"cachePoint"`
}

// Check refuses what Converse refuses.
func (bedrockConverse) Check(r *http.Request, body []byte) error {
	if err := checkPost(r); err != nil {
		return err
	}
	// Only the form is checked here. With Options.AWSKeys the signature is verified by verify.
	switch signature, err := ReadSigV4(r.Header); {
	case err != nil:
		return err
	case signature.Service != "bedrock":
		return fmt.Errorf("credential should be scoped to correct service: 'bedrock', not '%s'", signature.Service)
	}
	model, _, _ := bedrockPath(r)
	if strings.ContainsAny(model, ":+!*'()") {
		return fmt.Errorf("the model id %s is not escaped as the signature wants it", model)
	}
	var q bedrockRequest
	if err := decodeStrict(body, &q); err != nil {
		return err
	}
	q.signs = strings.Contains(model, "claude")
	for _, check := range []func() error{q.checkSettings, q.checkTools, q.checkSystem, q.checkMessages} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (q *bedrockRequest) checkSettings() error {
	if i := q.Inference; i != nil {
		switch {
		case i.MaxTokens != nil && *i.MaxTokens < 1:
			return errors.New("inferenceConfig.maxTokens: must have value greater than or equal to 1")
		case i.Temperature != nil && (*i.Temperature < 0 || *i.Temperature > 1):
			return errors.New("inferenceConfig.temperature: must be between 0 and 1")
		case i.TopP != nil && (*i.TopP < 0 || *i.TopP > 1):
			return errors.New("inferenceConfig.topP: must be between 0 and 1")
		}
		if err := checkStops(i.StopSequences); err != nil {
			return fmt.Errorf("inferenceConfig.stopSequences.%w", err)
		}
	}
	if o := q.Output; o != nil {
		if o.Effort != nil && !slices.Contains(efforts, *o.Effort) {
			return fmt.Errorf("outputConfig.effort: %q is no level", *o.Effort)
		}
		if f := o.TextFormat; f != nil {
			var schema map[string]any
			if f.Type != "json_schema" || f.Structure.JSONSchema == nil || json.Unmarshal([]byte(f.Structure.JSONSchema.Schema), &schema) != nil {
				return errors.New("outputConfig.textFormat: wants type json_schema and a schema as text")
			}
		}
	}
	switch {
	case q.Performance != nil && q.Performance.Latency != "standard" && q.Performance.Latency != "optimized":
		return errors.New("performanceConfig.latency: must satisfy enum value set: [standard, optimized]")
	case q.ServiceTier != nil && !slices.Contains([]string{"priority", "default", "flex", "reserved"}, q.ServiceTier.Type):
		return errors.New("serviceTier.type: must satisfy enum value set: [priority, default, flex, reserved]")
	case q.Guardrail != nil && (q.Guardrail.Identifier == "") != (q.Guardrail.Version == ""):
		return errors.New("guardrailConfig: identifier and version belong together")
	}
	return nil
}

var bedrockToolName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

func (q *bedrockRequest) checkTools() error {
	if q.ToolConfig == nil {
		return nil
	}
	if len(q.ToolConfig.Tools) == 0 {
		return errors.New("toolConfig.tools: must have length greater than or equal to 1")
	}
	names := map[string]bool{}
	for i, t := range q.ToolConfig.Tools {
		if t.Spec == nil {
			if (t.System == nil) == (len(t.CachePoint) == 0) {
				return fmt.Errorf("toolConfig.tools.%d: must set one of toolSpec, systemTool, cachePoint", i)
			}
			continue
		}
		if err := checkTool(names, bedrockToolName, t.Spec.Name, t.Spec.Schema.JSON); err != nil {
			return fmt.Errorf("toolConfig.tools.%d.toolSpec: %w", i, err)
		}
		if t.Spec.Description != nil && *t.Spec.Description == "" {
			return fmt.Errorf("toolConfig.tools.%d.toolSpec.description: must not be empty", i)
		}
	}
	for kind, value := range q.ToolConfig.Choice {
		var choice struct {
			Name string `json:"name"`
		}
		if err := decodeStrict(value, &choice); err != nil {
			return fmt.Errorf("toolConfig.toolChoice.%s: %w", kind, err)
		}
		if !slices.Contains([]string{"auto", "any", "tool"}, kind) || len(q.ToolConfig.Choice) > 1 {
			return errors.New("toolConfig.toolChoice: must set one of auto, any, tool")
		}
		if kind == "tool" && !names[choice.Name] {
			return fmt.Errorf("toolConfig.toolChoice.tool: %q is not among the tools", choice.Name)
		}
	}
	return nil
}

func (q *bedrockRequest) checkSystem() error {
	for i, b := range q.System {
		name, err := b.member()
		if err == nil && name != "text" && name != "cachePoint" && name != "guardContent" {
			err = fmt.Errorf("%s may not stand here", name)
		}
		if err == nil {
			err = b.check()
		}
		if err != nil {
			return fmt.Errorf("system.%d: %w", i, err)
		}
	}
	return nil
}

func (q *bedrockRequest) checkMessages() error {
	if len(q.Messages) == 0 && len(q.PromptVariables) == 0 {
		return errors.New("messages: at least one message is required")
	}
	c, documents := turns{call: "toolUse", result: "toolResult"}, map[string]bool{}
	for i, m := range q.Messages {
		err := c.begin(m.Role)
		if err == nil {
			err = m.check(&c, documents)
		}
		if err == nil && q.signs && m.unsigned() {
			err = errors.New("reasoningContent.reasoningText: the signature is missing")
		}
		if err != nil {
			return fmt.Errorf("messages.%d: %w", i, err)
		}
	}
	return c.close(q.ToolConfig != nil)
}

// unsigned reports whether a thought has no signature.
func (m *bedrockMessage) unsigned() bool {
	return slices.ContainsFunc(m.Content, func(b bedrockContent) bool {
		return b.Reasoning != nil && b.Reasoning.Text != nil && b.Reasoning.Text.Signature == ""
	})
}

// check checks a turn of c. documents are the names of documents so far.
func (m *bedrockMessage) check(c *turns, documents map[string]bool) error {
	if len(m.Content) == 0 {
		return errors.New("the content field is empty")
	}
	results, calls := map[string]bool{}, []string(nil)
	document, text := false, false
	for j, b := range m.Content {
		name, err := b.member()
		if err == nil {
			err = b.check()
		}
		if err == nil && (name == "json" || name == "cachePoint" && j == 0 || strings.Contains(bedrockRoles[name], "-"+m.Role)) {
			err = fmt.Errorf("%s may not stand here", name)
		}
		if err != nil {
			return fmt.Errorf("content.%d: %w", j, err)
		}
		text = text || name == "text"
		switch {
		case b.ToolUse != nil:
			calls = append(calls, b.ToolUse.ID)
		case b.ToolResult != nil:
			results[b.ToolResult.ID] = true
		case b.Document != nil:
			document = true
			if documents[b.Document.Name] {
				return fmt.Errorf("content.%d: found multiple documents with the same name: %s", j, b.Document.Name)
			}
			documents[b.Document.Name] = true
		}
	}
	if document && !text {
		return errors.New("a document needs a text block beside it")
	}
	return c.end(results, calls)
}

// bedrockRoles lists the roles whose turns may not contain a block.
var bedrockRoles = map[string]string{
	"toolUse": "-user", "reasoningContent": "-user", "toolResult": "-assistant", "image": "-assistant", "document": "-assistant",
	"video": "-assistant", "audio": "-assistant",
}

// member returns the name of the one member that is set.
func (b *bedrockContent) member() (string, error) {
	var names []string
	for name, set := range map[string]bool{
		"text": b.Text != nil, "image": b.Image != nil, "document": b.Document != nil, "video": b.Video != nil, "audio": b.Audio != nil,
		"guardContent": b.GuardContent != nil, "searchResult": b.SearchResult != nil, "citationsContent": b.Citations != nil,
		"toolAddition": b.ToolAddition != nil, "toolRemoval": b.ToolRemoval != nil, "json": b.JSON != nil, "cachePoint": b.CachePoint != nil,
		"reasoningContent": b.Reasoning != nil, "toolUse": b.ToolUse != nil, "toolResult": b.ToolResult != nil,
	} {
		if set {
			names = append(names, name)
		}
	}
	if len(names) != 1 {
		return "", fmt.Errorf("a content block has one member, not %d", len(names))
	}
	return names[0], nil
}

var bedrockCallID = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

func (b *bedrockContent) check() error {
	switch {
	case b.Text != nil && blank(*b.Text):
		return errors.New("the text field in the ContentBlock object is blank")
	case b.CachePoint != nil && (b.CachePoint.Type != "default" || !slices.Contains([]string{"", "5m", "1h"}, b.CachePoint.TTL)):
		return errors.New("cachePoint: wants type default and ttl 5m or 1h")
	case b.Reasoning != nil:
		return b.checkReasoning()
	case b.ToolUse != nil && (!bedrockCallID.MatchString(b.ToolUse.ID) || !bedrockToolName.MatchString(b.ToolUse.Name) || b.ToolUse.Input == nil):
		return fmt.Errorf("toolUse: wants toolUseId, name and an object as input, got %q %q %v", b.ToolUse.ID, b.ToolUse.Name, b.ToolUse.Input)
	case b.ToolResult != nil:
		return b.checkResult()
	case b.Image != nil:
		return b.Image.check("png jpeg gif webp")
	case b.Document != nil:
		return b.Document.checkDocument()
	case b.Video != nil:
		return b.Video.check("mkv mov mp4 webm flv mpeg mpg wmv three_gp")
	case b.Audio != nil:
		return b.Audio.check("mp3 opus wav aac flac mp4 ogg mkv mka x-aac m4a mpeg mpga pcm webm")
	}
	return nil
}

func (b *bedrockContent) checkReasoning() error {
	switch t := b.Reasoning.Text; {
	case b.Reasoning.Redacted != nil:
		if !validBase64(*b.Reasoning.Redacted) {
			return errors.New("reasoningContent.redactedContent: is no blob")
		}
	case t == nil || t.Signature != "" && !signed(t.Text, t.Signature):
		return errors.New("reasoningContent.reasoningText: invalid signature")
	}
	return nil
}

func (b *bedrockContent) checkResult() error {
	r := b.ToolResult
	if !bedrockCallID.MatchString(r.ID) || len(r.Content) == 0 || !slices.Contains([]string{"", "success", "error"}, r.Status) {
		return errors.New("toolResult: wants toolUseId, content, and status success or error")
	}
	for i := range r.Content {
		inner := &r.Content[i]
		name, err := inner.member()
		if err == nil && !slices.Contains([]string{"text", "json", "image", "document", "video", "searchResult"}, name) {
			err = fmt.Errorf("%s may not stand in a toolResult", name)
		}
		if err == nil {
			err = inner.check()
		}
		if err != nil {
			return fmt.Errorf("toolResult.content.%d: %w", i, err)
		}
	}
	return nil
}

func (m *bedrockMedia) check(formats string) error {
	if !slices.Contains(strings.Fields(formats), m.Format) {
		return fmt.Errorf("format: %q is none of %s", m.Format, formats)
	}
	s3 := m.Source.S3 != nil && strings.HasPrefix(m.Source.S3.URI, "s3://")
	if s3 == validBase64(m.Source.Bytes) {
		return errors.New("source: must set one of bytes, s3Location")
	}
	return nil
}

var bedrockDocumentName = regexp.MustCompile(`^[a-zA-Z0-9()\[\]-]+( [a-zA-Z0-9()\[\]-]+)*$`)

func (m *bedrockMedia) checkDocument() error {
	if !bedrockDocumentName.MatchString(m.Name) || len(m.Name) > 200 {
		return fmt.Errorf("document.name: %q may have letters, digits, single spaces, hyphens and brackets only", m.Name)
	}
	if m.Source.Text != "" || m.Source.Content != nil {
		return nil
	}
	return m.check("pdf csv doc docx xls xlsx html txt md")
}
