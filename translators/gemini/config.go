package gemini

import (
	"slices"
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
)

// limits are Google's: "it has a stopSequences value of 10 but the supported range is from
// 1 (inclusive) to 6 (exclusive)", "a topK value of 50 but the supported range is from 1
// (inclusive)".
//
//	https://ai.google.dev/api/generate-content#generationconfig
//	https://github.com/continuedev/continue/issues/7849
//	https://github.com/genkit-ai/genkit/issues/1397
var limits = provider.Limits{Stops: 5, TopK: true}

// appendGenerationConfig writes how to generate, and over it the client's own
// generationConfig.
func appendGenerationConfig(dst []byte, m *model, req *chat.Request) ([]byte, error) {
	req = limits.Fit(req)
	own := lookup(req, "generationConfig", "generation_config")
	start := len(dst)
	dst = jsonedit.AppendName(dst, "generationConfig")
	at := len(dst)
	dst = append(dst, '{')
	for _, n := range [...]struct {
		name  string
		value chat.Number
	}{
		{"maxOutputTokens", req.MaxTokens.AtMost(m.output)}, {"temperature", req.Temperature}, {"topP", req.TopP}, {"topK", req.TopK},
		{"candidateCount", req.N}, {"seed", req.Seed},
		{"presencePenalty", req.PresencePenalty}, {"frequencyPenalty", req.FrequencyPenalty}, {"logprobs", req.TopLogprobs},
	} {
		if n.value != "" && !(m.noPenalties && strings.HasSuffix(n.name, "Penalty")) {
			dst = jsonedit.AppendRaw(dst, n.name, n.value)
		}
	}
	if req.Logprobs != nil && *req.Logprobs {
		dst = jsonedit.AppendRaw(dst, "responseLogprobs", "true")
	}
	dst = jsonedit.AppendTexts(dst, "stopSequences", req.Stop)
	dst, err := appendFormat(dst, m, req)
	if err != nil {
		return nil, err
	}
	dst = appendThinking(dst, m, req)
	dst = appendModalities(dst, req)
	if dst = append(dst, '}'); len(dst) == at+2 && own == nil {
		return dst[:start], nil
	}
	return override(dst, at, "generationConfig", own)
}

// inWords says whether the form of the answer must be asked for in words: some
// models have no such setting, others not beside tools.
func inWords(m *model, req *chat.Request) bool {
	return m.noJSON || len(req.Tools) > 0 && !m.joins
}

func appendFormat(dst []byte, m *model, req *chat.Request) ([]byte, error) {
	f := &req.ResponseFormat
	switch f.Type {
	case "json_object", "json_schema":
		if inWords(m, req) {
			return dst, nil
		}
	}
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

// appendThinking writes the thinking config for a wanted effort or budget, in the
// words that the model knows. A budget below 0 leaves it to the model. The
// equivalences are those of Google's own OpenAI endpoint.
// https://ai.google.dev/gemini-api/docs/openai#thinking
func appendThinking(dst []byte, m *model, req *chat.Request) []byte {
	budget, hasBudget := req.ReasoningBudget.Int()
	if req.ReasoningEffort == "" && !hasBudget || m.thinks == never {
		return dst
	}
	off := req.ReasoningEffort == "none" || req.ReasoningEffort == "" && budget == 0
	dst = jsonedit.AppendRaw(append(jsonedit.AppendName(dst, "thinkingConfig"), '{'), "includeThoughts", strconv.FormatBool(!off))
	if m.thinks == byBudget {
		if !hasBudget {
			budget = effortBudget[req.ReasoningEffort]
		}
		dst = jsonedit.AppendInt(dst, "thinkingBudget", m.clamp(budget))
	} else if off || req.ReasoningEffort != "" || budget > 0 {
		dst = jsonedit.AppendText(dst, "thinkingLevel", m.level(req.ReasoningEffort, budget))
	}
	return append(dst, '}')
}

var effortBudget = map[string]int{"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 32768, "max": 32768}

// clamp keeps a budget within what the model takes; -1 lets it decide.
// https://ai.google.dev/gemini-api/docs/thinking#set-budget
func (m *model) clamp(budget int) int {
	switch {
	case budget < 0:
		return -1
	case budget == 0 && m.off:
		return 0
	}
	return min(max(budget, m.least), m.most)
}

// level is the level for an effort or, without one, for a budget: the least that
// the model has and that is no less than the wanted one. Thinking cannot be turned
// off from Gemini 3 on.
// https://ai.google.dev/gemini-api/docs/thinking#thinking-levels
func (m *model) level(effort string, budget int) string {
	wanted := "HIGH"
	switch {
	case effort == "none", effort == "minimal", effort == "" && budget == 0:
		wanted = "MINIMAL"
	case effort == "low", effort == "" && budget <= 4096:
		wanted = "LOW"
	case effort == "medium", effort == "" && budget <= 16384:
		wanted = "MEDIUM"
	}
	for _, level := range m.levels {
		if slices.Index(fourLevels, level) >= slices.Index(fourLevels, wanted) {
			return level
		}
	}
	return m.levels[len(m.levels)-1]
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
