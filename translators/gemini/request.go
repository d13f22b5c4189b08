package gemini

import (
	"fmt"
	"slices"

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
	m := modelOf(t.Model)
	if m.noTools && len(req.Tools) > 0 {
		return nil, &chat.RequestError{Field: "tools", Message: "'" + t.Model + "' calls no functions: choose another model"}
	}
	system, err := systemText(m, req)
	if err != nil {
		return nil, err
	}
	asWords := m.systemAsWords || m.noSystem // there it is the form of the answer alone
	dst = append(dst, '{')
	w := writer{req: req, ids: !onVertex(t), signs: m.signs, joins: m.joins && !onVertex(t)}
	if asWords {
		w.first = system
	} else if !system.Empty() {
		dst = append(jsonedit.AppendName(dst, "systemInstruction"), `{"parts":[{`...)
		dst = append(system.AppendMember(dst, "text"), `}]}`...)
	}
	w.dst = dst
	if err := w.contents(); err != nil {
		return nil, err
	}
	dst, err = appendTools(w.dst, t, req)
	if err != nil {
		return nil, err
	}
	dst, err = appendToolConfig(dst, t, req)
	if err != nil {
		return nil, err
	}
	dst, err = appendGenerationConfig(dst, m, req)
	if err != nil {
		return nil, err
	}
	dst = appendNative(dst, t, req)
	return append(dst, '}'), nil
}

// systemText joins all system texts: systemInstruction is one content. The form of
// the answer is added where the model must be asked for it in words.
func systemText(m *model, req *chat.Request) (jsonedit.Text, error) {
	var said []byte // as in a JSON string
	say := func(text jsonedit.Text) {
		if len(said) > 0 {
			said = append(said, `\n`...)
		}
		said = text.AppendInside(said)
	}
	for i := range req.Messages {
		msg := &req.Messages[i]
		if msg.Role != chat.System {
			continue
		}
		for j := range msg.Parts {
			p := &msg.Parts[j]
			if p.Kind != chat.Text {
				return jsonedit.Text{}, &chat.RequestError{Field: chat.PartField(i, j), Message: "a system message can only hold text for Gemini"}
			}
			if !p.Text.Empty() {
				say(p.Text)
			}
		}
	}
	if m.noSystem && len(said) > 0 {
		return jsonedit.Text{}, &chat.RequestError{Message: "system prompts aren't supported on gemini-1.0 models"}
	}
	if form := req.ResponseFormat.Instruction(); form != "" && inWords(m, req) {
		say(jsonedit.Plain(form))
	}
	return jsonedit.Quoted(string(said)), nil
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

// hosted are the members of a Tool for other makers' hosted tools.
//
//	https://ai.google.dev/gemini-api/docs/google-search
//	https://ai.google.dev/gemini-api/docs/url-context
//	https://ai.google.dev/gemini-api/docs/code-execution
var hosted = map[chat.Hosted]string{
	chat.WebSearch:     "googleSearch",
	chat.WebFetch:      "urlContext",
	chat.CodeExecution: "codeExecution",
}

// isOwn says whether a hosted tool is written as Google writes its own: an object
// without a type. Bedrock's is one, too, but is called systemTool.
func isOwn(t *chat.Tool) bool {
	v, err := jsonedit.Parse(orNull(t.Native))
	return err == nil && v.Type() == jsonedit.TypeObject && !v.Exists("type") && !v.Exists("systemTool")
}

// hosts says which hosted tools the model has. They and functions exclude each
// other before Gemini 3, where includeServerSideToolInvocations joins them; there
// functions are what the client needs more.
// https://ai.google.dev/gemini-api/docs/tool-combination
func hosts(t *target.Target, req *chat.Request, tool *chat.Tool) bool {
	joins := modelOf(t.Model).joins && !onVertex(t)
	return (hosted[tool.Hosted] != "" || isOwn(tool)) && (joins || !req.Functions())
}

// blocks says whether a search leaves out the domains that the client blocks: "This field
// is not supported in Gemini API."
//
//	https://docs.cloud.google.com/ruby/docs/reference/google-cloud-ai_platform-v1/latest/Google-Cloud-AIPlatform-V1-Tool-GoogleSearch
//	https://googleapis.github.io/kotlin-genai/google-genai-kotlin/com.google.genai.kotlin.types/-google-search/exclude-domains.html
func blocks(t *target.Target, tool *chat.Tool) bool {
	return onVertex(t) && tool.Hosted == chat.WebSearch && tool.Search != nil && len(tool.Search.Blocked) > 0
}

// caveats tells that a search is of more domains than the client wants, and which stop
// sequences are not asked for.
func caveats(t *target.Target, r *chat.Request) []string {
	left := limits.Caveats(r)
	if tool := r.Hosts(chat.WebSearch); tool == nil || isOwn(tool) || blocks(t, tool) {
		return left
	}
	return append(left, r.SearchCaveat()...)
}

// appendTools writes all functions as one entry and each hosted tool as its own.
func appendTools(dst []byte, t *target.Target, req *chat.Request) ([]byte, error) {
	if len(req.Tools) == 0 {
		return dst, nil
	}
	dst = append(jsonedit.AppendName(dst, "tools"), '[')
	open := false
	for i := range req.Tools {
		tool := &req.Tools[i]
		if tool.Hosted != "" {
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
		switch tool := &req.Tools[i]; {
		case tool.Hosted == "":
		case isOwn(tool):
			dst = append(jsonedit.AppendComma(dst), tool.Native...)
		default:
			dst = append(jsonedit.AppendName(append(jsonedit.AppendComma(dst), '{'), hosted[tool.Hosted]), '{')
			if blocks(t, tool) {
				dst = jsonedit.AppendTexts(dst, "excludeDomains", tool.Search.Blocked)
			}
			dst = append(dst, "}}"...)
		}
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

// appendToolConfig writes the tool choice, how functions and hosted tools are
// joined, and over it the client's own tool_config.
func appendToolConfig(dst []byte, t *target.Target, req *chat.Request) ([]byte, error) {
	own := lookup(req, "toolConfig", "tool_config")
	mode := map[string]string{"auto": "AUTO", "none": "NONE", "required": "ANY", "function": "ANY"}[req.ToolChoice.Mode]
	functions := req.Functions()
	if !functions || req.ForcesHosted() {
		mode = "" // it is about functions
	}
	joined := functions && !onVertex(t) && slices.ContainsFunc(req.Tools, func(tool chat.Tool) bool { return tool.Hosted != "" })
	if mode == "" && !joined && own == nil {
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
	if joined {
		dst = jsonedit.AppendRaw(dst, "includeServerSideToolInvocations", "true")
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
