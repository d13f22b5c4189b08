package ollama

import (
	"fmt"
	"slices"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

type chatFormat struct{ answer }

// AppendRequest writes r as a body of /api/chat.
// https://docs.ollama.com/api/chat
func (chatFormat) AppendRequest(dst []byte, t *target.Target, r *chat.Request) ([]byte, error) {
	if given(r.Lookup("prompt")) {
		return nil, errTwoFormats
	}
	dst = jsonedit.AppendString(append(dst, `{"model":`...), t.Model)
	dst, err := appendMessages(append(dst, `,"messages":[`...), r.Messages)
	if err != nil {
		return nil, err
	}
	if dst, err = appendTools(append(dst, ']'), r); err != nil {
		return nil, err
	}
	if r.Logprobs != nil {
		dst = jsonedit.AppendBool(dst, "logprobs", *r.Logprobs)
	}
	dst = jsonedit.AppendRaw(dst, "top_logprobs", r.TopLogprobs)
	return appendRest(dst, t, r)
}

type generateFormat struct{ answer }

// generateNatives lists members of /api/generate that OpenAI's completions do not
// have, and suffix, which is the same in both.
var generateNatives = []string{"suffix", "template", "raw", "context"}

// AppendRequest writes r as a body of /api/generate. The texts of its user messages
// are the prompt. https://docs.ollama.com/api/generate
func (generateFormat) AppendRequest(dst []byte, t *target.Target, r *chat.Request) ([]byte, error) {
	if given(r.Lookup("messages")) {
		return nil, errTwoFormats
	}
	var prompt, system content
	for i := range r.Messages {
		m := &r.Messages[i]
		to := &prompt
		switch m.Role {
		case chat.System:
			to = &system
		case chat.User:
		default:
			return nil, &chat.RequestError{Field: fmt.Sprintf("messages[%d].role", i), Message: "a prompt is the user's"}
		}
		if err := to.add(m.Parts, i); err != nil {
			return nil, err
		}
	}
	dst = jsonedit.AppendString(append(dst, `{"model":`...), t.Model)
	dst = jsonedit.AppendText(dst, "prompt", prompt.text())
	dst = prompt.appendImages(dst)
	if len(system.texts) > 0 {
		dst = jsonedit.AppendText(dst, "system", system.text())
	} else {
		dst = chat.AppendExtra(dst, r, "system")
	}
	return appendRest(chat.AppendExtra(dst, r, generateNatives...), t, r)
}

var errTwoFormats = &chat.RequestError{
	Message: "cannot run raw 'prompt' and chat history 'messages' requests at the same time - refer to schema",
}

// given reports whether a member of the other format is set and not empty.
func given(v chat.Raw) bool {
	return jsonedit.IsString(v) && len(v) > len(`""`) || jsonedit.IsArray(v) && len(v) > len(`[]`)
}

// appendRest writes what both formats share, and closes the body. stream is
// always said: Ollama streams unless told not to.
func appendRest(dst []byte, t *target.Target, r *chat.Request) ([]byte, error) {
	dst, err := appendThink(appendFormat(dst, r), t, r)
	if err != nil {
		return nil, err
	}
	if dst, err = appendOptions(dst, r); err != nil {
		return nil, err
	}
	dst = chat.AppendExtra(dst, r, "keep_alive", "truncate", "shift")
	dst = jsonedit.AppendBool(dst, "stream", r.Stream)
	return append(dst, '}'), nil
}

// appendFormat writes a schema, or "json". A format in Ollama's own form wins.
// https://docs.ollama.com/capabilities/structured-outputs
func appendFormat(dst []byte, r *chat.Request) []byte {
	f := &r.ResponseFormat
	switch {
	case r.Lookup("format") != nil:
		return chat.AppendExtra(dst, r, "format")
	case f.Type == "json_schema" && len(f.Schema) > 0:
		return jsonedit.AppendRaw(dst, "format", f.Schema)
	case f.Type == "json_schema", f.Type == "json_object":
		return append(dst, `,"format":"json"`...)
	}
	return dst
}

// levels holds the values of think by reasoning_effort. Models without levels take
// any as true; gpt-oss only takes levels.
// https://docs.ollama.com/capabilities/thinking
var levels = map[string]string{
	"none": `false`, "minimal": `"low"`, "low": `"low"`, "medium": `"medium"`, "high": `"high"`, "xhigh": `"max"`, "max": `"max"`,
}

// appendThink writes how long to think, for models that can; think in Ollama's own
// words wins. A budget is no level: servers before levels know true and false only.
func appendThink(dst []byte, t *target.Target, r *chat.Request) ([]byte, error) {
	if r.Lookup("think") != nil {
		return chat.AppendExtra(dst, r, "think"), nil
	}
	if _, ok := levels[r.ReasoningEffort]; !ok && r.ReasoningEffort != "" {
		return nil, &chat.RequestError{Field: "reasoning_effort", Message: "must be none, minimal, low, medium, high, xhigh or max"}
	}
	model := families.Of(t.Model)
	level := model.Effort(provider.Effort(r))
	switch {
	case level == "":
		return dst, nil
	case r.ReasoningEffort == "" && model.Effort("none") == "none":
		return jsonedit.AppendBool(dst, "think", level != "none"), nil
	}
	return jsonedit.AppendRaw(dst, "think", levels[level]), nil
}

// appendOptions writes the sampling parameters, and the client's options in Ollama's
// own form (num_ctx, mirostat …).
// https://docs.ollama.com/modelfile#valid-parameters-and-values
func appendOptions(dst []byte, r *chat.Request) ([]byte, error) {
	var own []jsonedit.Member
	if v := r.Lookup("options"); v != nil {
		var err error
		if own, err = jsonedit.Object(v, nil); err != nil {
			return nil, &chat.RequestError{Field: "options", Message: "must be an object"}
		}
	}
	body := len(dst)
	dst = append(jsonedit.AppendName(dst, "options"), '{')
	start := len(dst)
	numbers := [...]struct {
		name  string
		value chat.Number
	}{
		{"num_predict", r.MaxTokens}, {"temperature", r.Temperature}, {"top_p", r.TopP}, {"top_k", r.TopK}, {"seed", r.Seed},
		{"presence_penalty", r.PresencePenalty}, {"frequency_penalty", r.FrequencyPenalty},
	}
	var written []string
	for _, n := range numbers {
		if n.value != "" {
			dst = jsonedit.AppendRaw(dst, n.name, n.value)
			written = append(written, n.name)
		}
	}
	if len(r.Stop) > 0 {
		dst = jsonedit.AppendTexts(dst, "stop", r.Stop)
		written = append(written, "stop")
	}
	for _, m := range own {
		if !slices.Contains(written, string(m.Key)) {
			dst = append(jsonedit.AppendKey(dst, m.Key), m.Value...)
		}
	}
	if len(dst) == start {
		return dst[:body], nil
	}
	return append(dst, '}'), nil
}

// appendTools writes the functions. Ollama has no tool_choice none, so the functions
// are left out then. Other choices are sent for servers that support them.
// https://docs.ollama.com/capabilities/tool-calling
func appendTools(dst []byte, r *chat.Request) ([]byte, error) {
	choice := &r.ToolChoice
	if len(r.Tools) == 0 || choice.Mode == "none" {
		return dst, nil
	}
	dst = append(dst, `,"tools":[`...)
	for i := range r.Tools {
		t := &r.Tools[i]
		dst = jsonedit.AppendComma(dst)
		dst = jsonedit.AppendString(append(dst, `{"type":"function","function":{"name":`...), t.Name)
		dst = t.Description.AppendOptional(dst, "description")
		parameters := t.Parameters
		if !jsonedit.IsObject(parameters) { // required by Ollama
			parameters = chat.Raw(`{"type":"object","properties":{}}`)
		}
		dst = append(jsonedit.AppendRaw(dst, "parameters", parameters), "}}"...)
	}
	dst = append(dst, ']')
	switch choice.Mode {
	case "":
	case "function":
		dst = jsonedit.AppendString(append(dst, `,"tool_choice":{"type":"function","function":{"name":`...), choice.Name)
		dst = append(dst, "}}"...)
	default:
		dst = jsonedit.AppendText(dst, "tool_choice", choice.Mode)
	}
	return dst, nil
}

// content is the content of parts in Ollama's form: one text, and images.
type content struct {
	texts    []string
	thinking []string
	images   []string // base64
	calls    []*chat.Part
}

// text joins the texts of several parts with new lines, since they are paragraphs and
// not pieces of a word.
func (c *content) text() string { return strings.Join(c.texts, "\n") }

// add reads the parts of the message at index i. Results of tools are read elsewhere.
// Parts that only another provider's model can read are left out.
func (c *content) add(parts []chat.Part, i int) error {
	for j := range parts {
		p := &parts[j]
		kind := ""
		switch p.Kind {
		case chat.Text, chat.Refusal:
			c.texts = append(c.texts, p.Text.String())
		case chat.Thinking:
			c.thinking = append(c.thinking, p.Text.String())
		case chat.ToolCall:
			c.calls = append(c.calls, p)
		case chat.Image:
			if p.Media == nil || p.Media.Data.Empty() {
				return &chat.RequestError{Field: chat.PartField(i, j) + ".image_url",
					Message: "must be a data URI: Ollama takes the image itself and fetches no URL"}
			}
			c.images = append(c.images, p.Media.Data.String())
		case chat.RedactedThinking, chat.ToolResult:
		case chat.Audio:
			kind = "input_audio"
		case chat.Video:
			kind = "video_url"
		case chat.File:
			kind = "file"
		default:
			kind = p.Type
		}
		if kind != "" {
			return &chat.RequestError{Field: chat.PartField(i, j),
				Message: fmt.Sprintf("is of type %q, and Ollama takes text and images only", kind)}
		}
	}
	return nil
}

func (c *content) appendImages(dst []byte) []byte {
	if len(c.images) == 0 {
		return dst
	}
	return jsonedit.AppendTexts(dst, "images", c.images)
}
