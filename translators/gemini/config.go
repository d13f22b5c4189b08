package gemini

import (
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// appendGenerationConfig writes generationConfig, with the client's own merged over
// it.
func appendGenerationConfig(dst []byte, t *target.Target, req *chat.Request) ([]byte, error) {
	own := lookup(req, "generationConfig", "generation_config")
	start := len(dst)
	dst = jsonedit.AppendName(dst, "generationConfig")
	at := len(dst)
	dst = append(dst, '{')
	for _, n := range [...]struct {
		name  string
		value chat.Number
	}{
		{"maxOutputTokens", req.MaxTokens}, {"temperature", req.Temperature}, {"topP", req.TopP}, {"topK", req.TopK},
		{"candidateCount", req.N}, {"seed", req.Seed},
		{"presencePenalty", req.PresencePenalty}, {"frequencyPenalty", req.FrequencyPenalty}, {"logprobs", req.TopLogprobs},
	} {
		if n.value != "" {
			dst = jsonedit.AppendRaw(dst, n.name, n.value)
		}
	}
	if req.Logprobs != nil && *req.Logprobs {
		dst = jsonedit.AppendRaw(dst, "responseLogprobs", "true")
	}
	dst = jsonedit.AppendTexts(dst, "stopSequences", req.Stop)
	dst, err := appendFormat(dst, &req.ResponseFormat)
	if err != nil {
		return nil, err
	}
	dst = appendThinking(dst, t.Model, req)
	dst = appendModalities(dst, req)
	if dst = append(dst, '}'); len(dst) == at+2 && own == nil {
		return dst[:start], nil
	}
	return override(dst, at, "generationConfig", own)
}

func appendFormat(dst []byte, f *chat.ResponseFormat) ([]byte, error) {
	switch f.Type {
	case "json_object":
		return jsonedit.AppendText(dst, "responseMimeType", "application/json"), nil
	case "json_schema":
		dst = jsonedit.AppendText(dst, "responseMimeType", "application/json")
		dst, err := appendSchema(dst, "responseSchema", "responseJsonSchema", f.Schema)
		if err != nil {
			return nil, &chat.RequestError{Field: "response_format.json_schema.schema", Message: err.Error()}
		}
		return dst, nil
	case "", "text":
		return dst, nil
	}
	return nil, &chat.RequestError{Field: "response_format.type", Message: "Gemini has no response format '" + f.Type + "'"}
}

// generation returns the version in a model's name, times ten: 25 for gemini-2.5-pro,
// 30 for gemini-3-flash, 99 for an alias of the latest, 0 for a name without a
// version.
func generation(model string) int {
	rest, ok := strings.CutPrefix(model, "gemini-")
	if !ok {
		return 0
	}
	if strings.HasSuffix(model, "-latest") && (rest == "" || rest[0] < '0' || rest[0] > '9') {
		return 99
	}
	version, _, _ := strings.Cut(rest, "-")
	major, minor, _ := strings.Cut(version, ".")
	n, ok := chat.Number(major).Int()
	if !ok {
		return 0
	}
	m, _ := chat.Number(minor).Int()
	return 10*n + min(m, 9)
}

// appendThinking writes the thinking config for an effort or a budget: levels for
// Gemini 3 and later, tokens for 2.5, and nothing for older models, which do not
// think. The levels and budgets for efforts are those of Google's own OpenAI
// endpoint.
// https://ai.google.dev/gemini-api/docs/openai#thinking
func appendThinking(dst []byte, model string, req *chat.Request) []byte {
	gen := generation(model)
	if req.ReasoningEffort == "" && req.ReasoningBudget == "" || gen != 0 && gen < 25 {
		return dst
	}
	budget, hasBudget := req.ReasoningBudget.Int()
	thoughts := "true"
	if req.ReasoningEffort == "none" || req.ReasoningEffort == "" && hasBudget && budget == 0 {
		thoughts = "false"
	}
	dst = jsonedit.AppendRaw(append(jsonedit.AppendName(dst, "thinkingConfig"), '{'), "includeThoughts", thoughts)
	if gen == 25 {
		if !hasBudget {
			budget = effortBudget[req.ReasoningEffort]
		}
		dst = jsonedit.AppendInt(dst, "thinkingBudget", clampBudget(model, budget))
	} else if level := thinkingLevel(model, req.ReasoningEffort, budget); level != "" {
		dst = jsonedit.AppendText(dst, "thinkingLevel", level)
	}
	return append(dst, '}')
}

var effortBudget = map[string]int{"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 32768, "max": 32768}

// clampBudget limits a budget to what the model accepts. -1 lets the model decide.
// https://ai.google.dev/gemini-api/docs/thinking#set-budget
func clampBudget(model string, budget int) int {
	if budget < 0 {
		return -1
	}
	switch {
	case strings.Contains(model, "-pro"):
		return min(max(budget, 128), 32768)
	case strings.Contains(model, "-flash-lite") && budget > 0:
		return min(max(budget, 512), 24576)
	}
	return min(budget, 24576)
}

// thinkingLevel returns the level for an effort or, without one, for a budget; "" is
// the model's default. From Gemini 3 on thinking cannot be turned off, and few models
// have MINIMAL: LOW is the lowest level that all have.
// https://ai.google.dev/gemini-api/docs/thinking#thinking-levels
func thinkingLevel(model, effort string, budget int) string {
	switch effort {
	case "none", "minimal":
		if strings.HasPrefix(model, "gemini-3-flash") || strings.HasPrefix(model, "gemini-3.1-flash-lite") {
			return "MINIMAL"
		}
		return "LOW"
	case "low":
		return "LOW"
	case "medium":
		return "MEDIUM"
	case "":
		switch {
		case budget < 0:
			return ""
		case budget <= 4096:
			return "LOW"
		case budget <= 16384:
			return "MEDIUM"
		}
	}
	return "HIGH"
}

// appendModalities writes the wanted kinds of output. A model that speaks only gives
// sound, so the "text" that OpenAI requires with "audio" is left out.
func appendModalities(dst []byte, req *chat.Request) []byte {
	v, err := jsonedit.Parse(orNull(req.Lookup("modalities")))
	if err == nil && len(v.GetArray()) > 0 {
		dst = append(jsonedit.AppendName(dst, "responseModalities"), '[')
		audio := false
		for _, m := range v.GetArray() {
			audio = audio || string(m.GetStringBytes()) == "audio"
		}
		for _, m := range v.GetArray() {
			if name := string(m.GetStringBytes()); name != "" && !(audio && name == "text") {
				dst = jsonedit.AppendString(jsonedit.AppendComma(dst), strings.ToUpper(name))
			}
		}
		dst = append(dst, ']')
	}
	v, err = jsonedit.Parse(orNull(req.Lookup("audio")))
	if voice := v.GetStringBytes("voice"); err == nil && len(voice) > 0 {
		dst = append(jsonedit.AppendName(dst, "speechConfig"), `{"voiceConfig":{"prebuiltVoiceConfig":{`...)
		dst = append(jsonedit.AppendText(dst, "voiceName", voice), `}}}`...)
	}
	return dst
}

func orNull(v chat.Raw) chat.Raw {
	if v == nil {
		return chat.Raw("null")
	}
	return v
}
