package mock

import (
	"fmt"
	"net/http"
	"strings"

	"go-ai-proxy/translators/chat"
)

func init() {
	register(geminiGenerate{})
	register(geminiArray{})
}

// geminiGenerate is generateContent, and streamGenerateContent as server-sent
// events, of the Gemini API and of Vertex AI.
// https://ai.google.dev/api/generate-content
type geminiGenerate struct{}

// geminiArray is streamGenerateContent without alt=sse: one JSON array in pieces.
type geminiArray struct{ geminiGenerate }

func (geminiGenerate) Name() string { return "gemini/generate" }

func (geminiArray) Name() string { return "gemini/generate-array" }

func (geminiGenerate) Match(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, ":generateContent") || geminiStreams(r) && r.URL.Query().Get("alt") == "sse"
}

func (geminiArray) Match(r *http.Request) bool {
	return geminiStreams(r) && r.URL.Query().Get("alt") != "sse"
}

func geminiStreams(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, ":streamGenerateContent")
}

func (geminiGenerate) Streamed(r *http.Request, _ []byte) bool { return geminiStreams(r) }

func (geminiGenerate) Error(status int, message string) []byte {
	code := map[int]string{400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
		429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}[status]
	if code == "" {
		code = "UNKNOWN"
	}
	return fmt.Appendf(nil, "{\n  \"error\": {\n    \"code\": %d,\n    \"message\": %s,\n    \"status\": %q\n  }\n}\n", status, quote(message), code)
}

func (g geminiGenerate) StreamError(message string) []byte {
	return geminiEvent(string(g.Error(http.StatusInternalServerError, message)))
}

func (g geminiArray) StreamError(message string) []byte {
	return append([]byte(",\r\n"), g.Error(http.StatusInternalServerError, message)...)
}

// geminiEvent frames data as Google does: with CRLF, and a line per line of data.
func geminiEvent(data string) []byte {
	return []byte("data: " + strings.ReplaceAll(strings.TrimSpace(data), "\n", "\r\ndata: ") + "\r\n\r\n")
}

func (geminiGenerate) Whole(s *Scenario, _ []byte) []byte {
	var candidates []string
	for _, c := range s.Answer.Choices {
		var parts []string
		for _, p := range c.Parts {
			parts = append(parts, geminiParts(p, 0)...)
		}
		candidates = append(candidates, geminiCandidate(c, parts, true))
	}
	return []byte(geminiResponse(s, candidates, geminiUsage(&s.Answer.Usage, s.Answer.Usage.Completion)))
}

func (geminiGenerate) Stream(s *Scenario, _ []byte) (string, [][]byte) {
	var events [][]byte
	for _, r := range geminiResponses(s) {
		events = append(events, geminiEvent(r))
	}
	return "text/event-stream", events
}

func (geminiArray) Stream(s *Scenario, _ []byte) (string, [][]byte) {
	var events [][]byte
	separator := "["
	for _, r := range geminiResponses(s) {
		events = append(events, []byte(separator+r))
		separator = ",\r\n"
	}
	events[len(events)-1] = append(events[len(events)-1], "\n]\n"...)
	return "application/json; charset=UTF-8", events
}

// geminiResponses are the responses of a stream. Usage is a running total;
// the second response has none, which happens with the real API, too.
func geminiResponses(s *Scenario) []string {
	type piece struct {
		choice chat.Choice
		part   string
		last   bool
	}
	var pieces []piece
	for _, c := range s.Answer.Choices {
		from := len(pieces)
		for _, p := range c.Parts {
			for _, part := range geminiParts(p, s.Pieces) {
				pieces = append(pieces, piece{choice: c, part: part})
			}
		}
		if len(pieces) == from {
			pieces = append(pieces, piece{choice: c})
		}
		pieces[len(pieces)-1].last = true
	}
	var responses []string
	for i, p := range pieces {
		var parts []string
		if p.part != "" {
			parts = []string{p.part}
		}
		usage := geminiUsage(&s.Answer.Usage, s.Answer.Usage.Completion*i/len(pieces))
		switch i {
		case len(pieces) - 1:
			usage = geminiUsage(&s.Answer.Usage, s.Answer.Usage.Completion)
		case 1:
			usage = ""
		}
		responses = append(responses, geminiResponse(s, []string{geminiCandidate(p.choice, parts, p.last)}, usage))
	}
	return responses
}

// geminiParts returns the parts that p becomes: several when it is cut into pieces. A
// call is never cut.
func geminiParts(p chat.Part, pieces int) []string {
	if p.Kind == chat.Opaque {
		return []string{string(p.Raw)}
	}
	if p.Kind == chat.ToolCall {
		signature := ""
		if p.Signature != "" {
			signature = `,"thoughtSignature":` + quote(p.Signature)
		}
		return []string{fmt.Sprintf(`{"functionCall":{"id":%s,"name":%s,"args":%s}%s}`, quote(p.ID), quote(p.Name), p.Arguments, signature)}
	}
	texts := []string{p.Text.String()}
	if pieces > 0 {
		texts = Cut(p.Text.String(), pieces)
	}
	var parts []string
	for i, t := range texts {
		more := ""
		if p.Kind == chat.Thinking {
			more = `,"thought":true`
			if i == len(texts)-1 && p.Signature != "" {
				more += `,"thoughtSignature":` + quote(p.Signature)
			}
		}
		parts = append(parts, fmt.Sprintf(`{"text":%s%s}`, quoteNth(i, t), more))
	}
	return parts
}

// geminiCandidate leaves out the index of the first, as Google does.
func geminiCandidate(c chat.Choice, parts []string, finished bool) string {
	content := `{"role":"model"}`
	if len(parts) > 0 {
		content = `{"parts":[` + strings.Join(parts, ",") + `],"role":"model"}`
	}
	more := ""
	if finished {
		reason := map[chat.FinishReason]string{chat.Stop: "STOP", chat.ToolCalls: "STOP", chat.Length: "MAX_TOKENS", chat.ContentFilter: "SAFETY"}[c.Finish]
		more = fmt.Sprintf(`,"finishReason":%q`, reason)
		if c.Finish == chat.ContentFilter {
			more += `,"safetyRatings":[{"category":"HARM_CATEGORY_DANGEROUS_CONTENT","probability":"HIGH","blocked":true}]`
		}
	}
	if c.Index > 0 {
		more += fmt.Sprintf(`,"index":%d`, c.Index)
	}
	return `{"content":` + content + more + `}`
}

func geminiResponse(s *Scenario, candidates []string, usage string) string {
	if usage != "" {
		usage = `"usageMetadata":` + usage + `,`
	}
	return fmt.Sprintf(`{"candidates":[%s],%s"modelVersion":%s,"responseId":%s}`, strings.Join(candidates, ","), usage, quote(s.Answer.Model), quote(s.Answer.ID))
}

// geminiUsage is the usage once completion tokens have been written: members
// that are zero are left out, as protocol buffers do.
func geminiUsage(u *chat.Usage, completion int) string {
	toolUse := 0
	if u.Prompt > 100 {
		toolUse = 3
	}
	thoughts := min(u.Reasoning, completion)
	var members []string
	for _, m := range []struct {
		name string
		n    int
	}{
		{"promptTokenCount", u.Prompt - toolUse}, {"candidatesTokenCount", completion - thoughts}, {"totalTokenCount", u.Prompt + completion},
		{"cachedContentTokenCount", u.Cached}, {"toolUsePromptTokenCount", toolUse}, {"thoughtsTokenCount", thoughts},
	} {
		if m.n != 0 {
			members = append(members, fmt.Sprintf(`%q:%d`, m.name, m.n))
		}
	}
	members = append(members, fmt.Sprintf(`"promptTokensDetails":[{"modality":"TEXT","tokenCount":%d}]`, u.Prompt-toolUse))
	return "{" + strings.Join(members, ",") + "}"
}
