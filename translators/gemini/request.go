package gemini

import (
	"fmt"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// Generate is the provider's side of the generateContent format. Parts that only
// generateContent has (executableCode, codeExecutionResult, toolCall) are kept as
// opaque parts in a whole answer, and left out of streams.
var Generate chat.Upstream = generate{}

type generate struct{}

// AppendRequest writes a generateContent body. The client's own members
// cachedContent, safetySettings, toolConfig, generationConfig and, on Vertex, labels
// are kept. generationConfig wins over all other settings.
func (generate) AppendRequest(dst []byte, t *target.Target, req *chat.Request) ([]byte, error) {
	dst = append(dst, '{')
	dst, err := appendSystem(dst, t.Model, req)
	if err != nil {
		return nil, err
	}
	w := writer{dst: dst, req: req, ids: !onVertex(t), generation: generation(t.Model)}
	if err := w.contents(); err != nil {
		return nil, err
	}
	dst, err = appendTools(w.dst, req)
	if err != nil {
		return nil, err
	}
	dst, err = appendToolConfig(dst, req)
	if err != nil {
		return nil, err
	}
	dst, err = appendGenerationConfig(dst, t, req)
	if err != nil {
		return nil, err
	}
	dst = appendNative(dst, t, req)
	return append(dst, '}'), nil
}

// appendSystem writes all system texts as one, since systemInstruction is one
// content.
func appendSystem(dst []byte, model string, req *chat.Request) ([]byte, error) {
	var said []byte // as in a JSON string
	for i := range req.Messages {
		m := &req.Messages[i]
		if m.Role != chat.System {
			continue
		}
		for j := range m.Parts {
			p := &m.Parts[j]
			if p.Kind != chat.Text {
				return nil, &chat.RequestError{Field: chat.PartField(i, j), Message: "a system message can only hold text for Gemini"}
			}
			if p.Text.Empty() {
				continue
			}
			if len(said) > 0 {
				said = append(said, `\n`...)
			}
			said = p.Text.AppendInside(said)
		}
	}
	if len(said) == 0 {
		return dst, nil
	}
	if strings.HasPrefix(model, "gemini-1.0") {
		return nil, &chat.RequestError{Message: "system prompts aren't supported on gemini-1.0 models"}
	}
	dst = append(jsonedit.AppendName(dst, "systemInstruction"), `{"parts":[{"text":"`...)
	return append(append(dst, said...), `"}]}`...), nil
}

// appendNative writes Google's own members that a client may send.
func appendNative(dst []byte, t *target.Target, req *chat.Request) []byte {
	for _, n := range [...][2]string{{"cachedContent", "cached_content"}, {"safetySettings", "safety_settings"}} {
		if v := lookup(req, n[0], n[1]); v != nil {
			dst = jsonedit.AppendRaw(dst, n[0], v)
		}
	}
	if onVertex(t) {
		// Only on Vertex: the public API's documentation had no labels for a long
		// time.
		dst = jsonedit.AppendRaw(dst, "labels", req.Lookup("labels"))
		return dst
	}
	if tier := serviceTier(req.ServiceTier); tier != "" {
		dst = jsonedit.AppendText(dst, "serviceTier", tier)
	}
	return dst
}

// serviceTier returns Google's name of an OpenAI service tier, or "" for the default.
// Vertex has it in a header, not in the body.
func serviceTier(tier string) string {
	switch tier {
	case "flex", "priority", "standard":
		return tier
	case "default":
		return "standard"
	}
	return ""
}

// lookup returns an extra member under its camel-case or snake-case name.
func lookup(req *chat.Request, camel, snake string) chat.Raw {
	if v := req.Lookup(camel); v != nil {
		return v
	}
	return req.Lookup(snake)
}

// appendTools writes all functions as one entry and each native tool as its own.
func appendTools(dst []byte, req *chat.Request) ([]byte, error) {
	search := req.Lookup("web_search_options") != nil
	if len(req.Tools) == 0 && !search {
		return dst, nil
	}
	dst = append(jsonedit.AppendName(dst, "tools"), '[')
	open := false
	for i := range req.Tools {
		tool := &req.Tools[i]
		if tool.Native != nil {
			continue
		}
		if !open {
			dst = append(dst, `{"functionDeclarations":[`...)
			open = true
		}
		var err error
		if dst, err = appendFunction(jsonedit.AppendComma(dst), i, tool); err != nil {
			return nil, err
		}
	}
	if open {
		dst = append(dst, `]}`...)
	}
	for i := range req.Tools {
		native := req.Tools[i].Native
		if native == nil {
			continue
		}
		v, err := jsonedit.Parse(native)
		if err != nil || v.Type() != jsonedit.TypeObject {
			return nil, &chat.RequestError{Field: fmt.Sprintf("tools[%d]", i), Message: "must be an object"}
		}
		if v.Exists("type") {
			return nil, &chat.RequestError{Field: fmt.Sprintf("tools[%d].type", i),
				Message: fmt.Sprintf("Gemini has no tool of type '%s'; send its own form, such as {\"googleSearch\":{}}", v.GetStringBytes("type"))}
		}
		dst = append(jsonedit.AppendComma(dst), native...)
	}
	if search {
		dst = append(jsonedit.AppendComma(dst), `{"googleSearch":{}}`...)
	}
	return append(dst, ']'), nil
}

func appendFunction(dst []byte, i int, tool *chat.Tool) ([]byte, error) {
	dst = jsonedit.AppendText(append(dst, '{'), "name", tool.Name)
	dst = tool.Description.AppendOptional(dst, "description")
	dst, err := appendSchema(dst, "parameters", "parametersJsonSchema", tool.Parameters)
	if err != nil {
		return nil, &chat.RequestError{Field: fmt.Sprintf("tools[%d].function.parameters", i), Message: err.Error()}
	}
	return append(dst, '}'), nil
}

// appendToolConfig writes the tool choice, with the client's own tool_config merged
// over it.
func appendToolConfig(dst []byte, req *chat.Request) ([]byte, error) {
	own := lookup(req, "toolConfig", "tool_config")
	mode := map[string]string{"auto": "AUTO", "none": "NONE", "required": "ANY", "function": "ANY"}[req.ToolChoice.Mode]
	if mode == "" && own == nil {
		return dst, nil
	}
	dst = jsonedit.AppendName(dst, "toolConfig")
	at := len(dst)
	dst = append(dst, '{')
	if mode != "" {
		dst = append(jsonedit.AppendName(dst, "functionCallingConfig"), '{')
		dst = jsonedit.AppendText(dst, "mode", mode)
		if req.ToolChoice.Mode == "function" {
			dst = append(jsonedit.AppendName(dst, "allowedFunctionNames"), '[')
			dst = append(jsonedit.AppendString(dst, req.ToolChoice.Name), ']')
		}
		dst = append(dst, '}')
	}
	dst = append(dst, '}')
	return override(dst, at, "tool_config", own)
}

// override merges the client's own object over the object at dst[at:].
func override(dst []byte, at int, field string, own chat.Raw) ([]byte, error) {
	if own == nil {
		return dst, nil
	}
	merged, err := jsonedit.Merge(nil, dst[at:], own)
	if err != nil {
		return nil, &chat.RequestError{Field: field, Message: "must be an object"}
	}
	return append(dst[:at], merged...), nil
}
